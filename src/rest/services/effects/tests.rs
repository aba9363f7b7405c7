use super::*;
use crate::rest::services::{TABLE, instances::INSTANCES};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Kept attributes whose names are also those of something else that is read, and where.
const HOMONYMS: &[(&str, &[&str])] = &[
    ("defaultScopes", &["oauth2/client.rs"]), // of a client
    ("clientId", &["authn/journey/callback.rs", "oauth2/scope_policy.rs"]), // a script's, and a policy's environment
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every attribute that is served: service, section, name.
fn served() -> Vec<(String, &'static str, &'static str)> {
    let of_services = TABLE.iter().flat_map(|service| {
        let schemas = [Some(&service.global), service.realm.as_ref()].into_iter().flatten();
        schemas.flat_map(|schema| schema.sections).map(|section| (service.id.to_owned(), section))
    });
    let of_instances = INSTANCES
        .iter()
        .flat_map(|kind| kind.schema.sections.iter().map(|section| (format!("{}/{}", kind.service, kind.id), section)));
    let mut all: Vec<_> = of_services
        .chain(of_instances)
        .flat_map(|(id, section)| {
            section.attributes.iter().map(move |attribute| (id.clone(), section.name, attribute.name))
        })
        .collect();
    all.sort();
    all.dedup();
    all
}

#[test]
fn every_attribute_has_one_row_and_every_row_attributes() {
    let mut told: Vec<_> = EFFECTS
        .iter()
        .flat_map(|row| row.names.iter().map(|name| (row.service.to_owned(), row.section, *name)))
        .collect();
    told.sort();
    for pair in told.windows(2) {
        assert_ne!(pair[0], pair[1], "told twice");
    }
    assert_eq!(told, served());
    let (service, section, name) = (PROVIDER, "coreOAuth2Config", "issueRefreshToken");
    assert_eq!(effect(service, section, name), Some(NO_REFRESH));
    assert_eq!(
        (effect("baseurl", "", "source"), effect("baseurl", "x", "source")),
        (Some(Honoured("base_url.rs")), None)
    );
}

/// Sources that could read what is configured: not the schemas, and no tests.
fn sources(dir: &Path, found: &mut Vec<(String, String)>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(dir).expect("a directory").map(|e| e.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        let name = path.strip_prefix(root().join("src")).expect("below").to_string_lossy().into_owned();
        let apart = ["rest/services", "rest/agents", "cli"].iter().any(|apart| name.starts_with(apart));
        if apart || name.contains("test") {
            continue;
        }
        if path.is_dir() {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).expect("text");
            let own = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            found.push((name, own.to_owned()));
        }
    }
}

/// The table does not flatter: who honours an attribute names it, and nobody names what is only kept.
#[test]
fn the_table_says_what_the_sources_do() {
    let mut all = Vec::new();
    sources(&root().join("src"), &mut all);
    assert!(all.len() > 100);
    for row in EFFECTS {
        for name in row.names {
            let quoted = format!("\"{name}\"");
            let mut reads = all.iter().filter(|(_, text)| text.contains(&quoted)).map(|(file, _)| file.as_str());
            match row.effect {
                Honoured(file) => assert!(reads.any(|read| read == file), "{file} does not read {name}"),
                Kept(_) => {
                    let elsewhere = EFFECTS.iter().find(|other| {
                        other.names.contains(name) && !std::ptr::eq(*other, row) && matches!(other.effect, Honoured(_))
                    });
                    let known =
                        HOMONYMS.iter().find(|(homonym, _)| homonym == name).map_or(&[][..], |(_, files)| files);
                    let is_other = |file: &str| {
                        let honoured =
                            elsewhere.is_some_and(|other| matches!(other.effect, Honoured(it) if it == file));
                        known.contains(&file) || honoured
                    };
                    let read = reads.find(|file| !is_other(file));
                    assert_eq!(read, None, "{}: {name} is said to be kept without effect", row.service);
                }
            }
        }
    }
}

/// The document is what the table says: `QUORATE_WRITE_DOCS=1 cargo test effects` writes it anew.
#[test]
fn the_document_is_written_from_the_table() {
    let path = root().join("docs/compatibility-services.md");
    if std::env::var_os("QUORATE_WRITE_DOCS").is_some() {
        fs::write(&path, document()).expect("written");
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), document());
}
