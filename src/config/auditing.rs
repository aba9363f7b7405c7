//! What is recorded of what happens, and where.

use super::reader::Reader;
use crate::audit::{Settings, Share, Topic, TopicSettings, WhenFull, decisions, files::Directory, named_set, redact};
use std::path::Path;

pub(super) fn read(reader: &mut Reader<'_>, data_dir: Option<&Path>) -> Option<Settings> {
    let decisions = of_decisions(reader);
    let topics = of_topics(reader, data_dir);
    Some(Settings { decisions: decisions?, topics: topics? })
}

fn of_decisions(reader: &mut Reader<'_>) -> Option<decisions::Settings> {
    let share = reader.required("decisions.record", str::parse::<Share>);
    let when_full = when_full(reader, "decisions.when_full");
    let queue = reader.number("decisions.queue", 1..=1_000_000);
    let sets = reader.list("decisions.record_sets", named_set);
    Some(decisions::Settings {
        share: share?,
        sets: sets?.into_iter().collect(),
        when_full: when_full?,
        queue: usize::try_from(queue?).ok()?,
    })
}

fn when_full(reader: &mut Reader<'_>, key: &str) -> Option<WhenFull> {
    reader.required(key, |text| match text {
        "drop" => Ok(WhenFull::Drop),
        "refuse" => Ok(WhenFull::Refuse),
        _ => Err("must be drop or refuse"),
    })
}

/// `Some(None)` when nothing of topics is recorded.
fn of_topics(reader: &mut Reader<'_>, data_dir: Option<&Path>) -> Option<Option<TopicSettings>> {
    let enabled = reader.switch("audit.enabled");
    let topics = reader.list("audit.topics", str::parse::<Topic>);
    let access_share = reader.required("audit.access_share", str::parse::<Share>);
    let path = reader.path("audit.directory");
    let stdout = reader.switch("audit.stdout");
    let max_file_bytes = reader.number("audit.max_file_bytes", 4096..=1 << 40);
    let max_files = reader.number("audit.max_files", 1..=1000);
    let fsync = reader.switch("audit.fsync");
    let when_full = when_full(reader, "audit.when_full");
    let queue = reader.number("audit.queue", 1..=1_000_000);
    let whitelist = reader.list("audit.whitelist", redact::allowed);
    let blacklist = reader.list("audit.blacklist", redact::denied);
    // Beside the data, as the key file is: the data directory itself is the store's.
    let beside = || {
        let mut name = data_dir?.file_name()?.to_owned();
        name.push(".audit");
        Some(data_dir?.with_file_name(name))
    };
    let path = match path? {
        Some(path) => path,
        None => beside()?,
    };
    let directory =
        Directory { path, max_file_bytes: max_file_bytes?, max_files: u32::try_from(max_files?).ok()?, fsync: fsync? };
    let settings = TopicSettings {
        topics: topics?.into_iter().collect(),
        access_share: access_share?,
        directory: Some(directory),
        stdout: stdout?,
        when_full: when_full?,
        queue: usize::try_from(queue?).ok()?,
        whitelist: whitelist?,
        blacklist: blacklist?,
    };
    Some((enabled? && !settings.topics.is_empty()).then_some(settings))
}
