//! Values that must not be seen again once they were read.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

/// What a secret looks like wherever it would be written.
pub const REDACTED: &str = "<redacted>";

/// Largest file a secret is read from, bytes.
const LARGEST_SECRET_FILE: u64 = 64 << 10;

/// A secret that a person or a machine chose. Shows itself only to [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a value; from here on only [`Secret::expose`] shows it.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// Reads a file as secret managers write them: one trailing line break is not part of it.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut text = Zeroizing::new(String::new());
        File::open(path)?.take(LARGEST_SECRET_FILE + 1).read_to_string(&mut text)?;
        if text.len() as u64 > LARGEST_SECRET_FILE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "too large for a secret"));
        }
        let value = text.strip_suffix('\n').unwrap_or(&text);
        Ok(Self::new(value.strip_suffix('\r').unwrap_or(value)))
    }

    /// The value itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

/// The key that encrypts private keys in the replicated state (G5).
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// Reads 32 bytes of base64, either alphabet, padded or not.
    pub fn parse(secret: &Secret) -> Result<Self, &'static str> {
        let text = secret.expose();
        let bytes = [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD]
            .into_iter()
            .find_map(|engine| engine.decode(text).ok())
            .map(Zeroizing::new)
            .ok_or("must be 32 bytes in base64 (openssl rand -base64 32)")?;
        let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| "must be exactly 32 bytes before base64")?;
        if bytes == [0; 32] {
            return Err("must not be all zeros");
        }
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// A fresh key from the operating system's generator.
    pub fn generate() -> io::Result<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(bytes.as_mut_slice())
            .map_err(|_| io::Error::other("the operating system has no randomness"))?;
        Ok(Self(bytes))
    }

    /// The raw key, for the cipher.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// As it is written into a key file or a variable.
    pub fn to_base64(&self) -> Secret {
        Secret::new(STANDARD.encode(self.0.as_slice()))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// Where the master key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MasterKeySource {
    /// Configured; the same on every node of the cluster.
    Given(MasterKey),
    /// A node alone keeps it in this file, beside the data directory and never inside it.
    KeyFile {
        /// `<data_dir>.key`.
        path: PathBuf,
        /// Whose key this is: a directory with data in it must already have its key file.
        data_dir: PathBuf,
    },
}

impl MasterKeySource {
    /// The key; creates the key file (mode 0600) on the first start.
    ///
    /// Call it before anything is written to the data directory: when there is data but no key
    /// file, the file was lost, and a fresh key would make the stored private keys unreadable.
    pub fn open(&self) -> io::Result<MasterKey> {
        let (path, data_dir) = match self {
            Self::Given(key) => return Ok(key.clone()),
            Self::KeyFile { path, data_dir } => (path, data_dir),
        };
        match read_key_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if has_entries(data_dir)? {
                    return Err(about(
                        path,
                        io::Error::new(
                            io::ErrorKind::NotFound,
                            "the key file is gone, but the data directory is in use: put the file back, or set master_key",
                        ),
                    ));
                }
                create_key_file(path).map_err(|error| about(path, error))
            }
            outcome => outcome.map_err(|error| about(path, error)),
        }
    }
}

fn read_key_file(path: &Path) -> io::Result<MasterKey> {
    let mode = fs::metadata(path)?.permissions().mode();
    // The group is let be: volume managers (Kubernetes' fsGroup) open files to it at every mount.
    if mode & 0o007 != 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "anybody may read the key file: chmod 600 it"));
    }
    MasterKey::parse(&Secret::read(path)?).map_err(|problem| io::Error::new(io::ErrorKind::InvalidData, problem))
}

/// Writes beside, flushes, then moves into place without overwriting, so that no crash leaves half
/// a key behind and two first starts agree on one.
fn create_key_file(path: &Path) -> io::Result<MasterKey> {
    let key = MasterKey::generate()?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent)?;
    let mut draft = tempfile::NamedTempFile::new_in(parent)?; // mode 0600
    writeln!(draft, "{}", key.to_base64().expose())?;
    draft.as_file().sync_all()?;
    match draft.persist_noclobber(path) {
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            return read_key_file(path);
        }
        outcome => outcome.map_err(|error| error.error)?,
    };
    File::open(parent)?.sync_all()?;
    Ok(key)
}

/// Creates a file that only its owner may read, and flushes it. Refuses to overwrite.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

fn has_entries(dir: &Path) -> io::Result<bool> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(about(dir, error)),
    }
}

fn about(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_bytes_in_any_base64() {
        for text in [
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=",
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8",
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=",
            "__ECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8",
        ] {
            assert!(MasterKey::parse(&Secret::new(text)).is_ok(), "{text}");
        }
        for text in ["", "c2hvcnQ=", "not base64!", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="] {
            assert!(MasterKey::parse(&Secret::new(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_file_is_made_once_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join("data");
        let path = dir.path().join("data.key");
        let source = MasterKeySource::KeyFile { path: path.clone(), data_dir: data_dir.clone() };
        let first = source.open().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(source.open().unwrap(), first);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft stays behind");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(source.open().unwrap_err().kind(), io::ErrorKind::PermissionDenied);

        fs::remove_file(&path).unwrap();
        fs::create_dir(&data_dir).unwrap();
        fs::write(data_dir.join("db"), "x").unwrap();
        let lost = source.open().unwrap_err();
        assert!(lost.to_string().contains("put the file back"), "{lost}");
        assert!(!path.exists());
    }

    #[test]
    fn a_secret_file_loses_one_line_break() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        for (file, value) in [("a b \n", "a b "), ("x\r\n", "x"), ("x\n\n", "x\n"), ("x", "x")] {
            fs::write(&path, file).unwrap();
            assert_eq!(Secret::read(&path).unwrap().expose(), value);
        }
        fs::write(&path, "x".repeat(LARGEST_SECRET_FILE as usize + 1)).unwrap();
        assert!(Secret::read(&path).is_err());
    }
}
