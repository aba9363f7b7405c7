//! Where events are written: one JSON object per line, `<topic>.audit.json` in a directory, standard output, or both.
//!
//! | question                      | answer                                                                          |
//! |-------------------------------|---------------------------------------------------------------------------------|
//! | how large can it get          | `(max_files + 1) × max_file_bytes` per topic, and one line more                 |
//! | which file is the newest      | the one without a number; then `.1`, `.2`, …                                    |
//! | what survives a crash         | of the process: what was written; of the machine: with `audit.fsync`, every batch that was written |
//! | what if the disk says no      | counted as `failed`, said once in the log, and tried again with the next event; under `when_full = refuse` the writer waits for the disk, and requests are refused once the queue is full |

use super::{
    WhenFull,
    context::Ids,
    queue::Counted,
    redact::Redactor,
    topic::{Event, Line, Topic},
};
use crate::telemetry;
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    thread::sleep,
    time::Duration,
};

/// Where events of topics are counted.
pub(super) const COUNTED: Counted = Counted(telemetry::AUDIT_EVENTS);

/// Between two tries to write an event that must not be lost.
const TRY_AGAIN: Duration = Duration::from_millis(200);

/// Files of one directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// Where.
    pub path: PathBuf,
    /// From which size a file is put aside, bytes.
    pub max_file_bytes: u64,
    /// Files of a topic that are kept beside the newest.
    pub max_files: u32,
    /// Whether what is written is flushed to the disk whenever nothing waits.
    pub fsync: bool,
}

/// A file that is being written.
struct Open {
    file: File,
    bytes: u64,
    dirty: bool,
}

/// The files of a directory.
struct Files {
    directory: Directory,
    open: BTreeMap<Topic, Open>,
}

impl Directory {
    fn file(&self, topic: Topic, number: u32) -> PathBuf {
        let number = if number == 0 { String::new() } else { format!(".{number}") };
        self.path.join(format!("{}.audit.json{number}", topic.name()))
    }

    /// Makes the directory, and sees whether it can be written.
    ///
    /// # Errors
    /// When it cannot.
    pub(super) fn prepare(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
        let probe = self.path.join(".probe");
        File::create(&probe)?;
        fs::remove_file(&probe)
    }
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

impl Files {
    fn write(&mut self, topic: Topic, line: &[u8]) -> io::Result<()> {
        if self.open.get(&topic).is_some_and(|open| open.bytes >= self.directory.max_file_bytes) {
            self.rotate(topic)?;
        }
        let path = self.directory.file(topic, 0);
        let open = match self.open.entry(topic) {
            std::collections::btree_map::Entry::Occupied(open) => open.into_mut(),
            std::collections::btree_map::Entry::Vacant(vacant) => vacant.insert(append_to(&path)?),
        };
        match open.file.write_all(line) {
            Ok(()) => {
                open.bytes += line.len() as u64;
                open.dirty = true;
                Ok(())
            }
            Err(error) => {
                // Part of the line may be there: what follows starts on a line of its own.
                self.open.remove(&topic);
                Err(error)
            }
        }
    }

    fn rotate(&mut self, topic: Topic) -> io::Result<()> {
        if let Some(open) = self.open.remove(&topic)
            && self.directory.fsync
        {
            open.file.sync_data()?;
        }
        let Directory { max_files, .. } = self.directory;
        absent_is_fine(fs::remove_file(self.directory.file(topic, max_files)))?;
        for number in (0..max_files).rev() {
            absent_is_fine(fs::rename(self.directory.file(topic, number), self.directory.file(topic, number + 1)))?;
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.directory.fsync {
            for open in self.open.values_mut().filter(|open| open.dirty) {
                open.file.sync_data()?;
                open.dirty = false;
            }
        }
        Ok(())
    }
}

/// Opens a file for more lines; one that ends in the middle of a line gets its end first.
fn append_to(path: &Path) -> io::Result<Open> {
    let mut file = OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(path)?;
    let mut bytes = file.metadata()?.len();
    if bytes > 0 {
        use std::os::unix::fs::FileExt;
        let mut last = [0];
        file.read_exact_at(&mut last, bytes - 1)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
            bytes += 1;
        }
    }
    Ok(Open { file, bytes, dirty: false })
}

/// Writes events to all sinks.
pub(super) struct Writer {
    pub ids: Arc<Ids>,
    pub redactor: Arc<Redactor>,
    pub stdout: bool,
    when_full: WhenFull,
    files: Option<Files>,
    broken: bool,
}

impl Writer {
    pub fn new(
        ids: Arc<Ids>,
        redactor: Arc<Redactor>,
        directory: Option<Directory>,
        stdout: bool,
        when_full: WhenFull,
    ) -> Self {
        let files = directory.map(|directory| Files { directory, open: BTreeMap::new() });
        Self { ids, redactor, stdout, when_full, files, broken: false }
    }

    fn try_write(&mut self, topic: Topic, line: &[u8]) -> io::Result<()> {
        if let Some(files) = &mut self.files {
            files.write(topic, line)?;
        }
        if self.stdout {
            io::stdout().lock().write_all(line)?;
        }
        Ok(())
    }

    /// Says once that writing fails, and once that it works again.
    fn notice(&mut self, result: &io::Result<()>) {
        match result {
            Err(error) if !self.broken => tracing::error!(%error, "audit events cannot be written"),
            Ok(()) if self.broken => tracing::info!("audit events can be written again"),
            _ => {}
        }
        self.broken = result.is_err();
    }
}

/// An event as a line.
pub(super) fn line(event: &Event, ids: &Ids, redactor: &Redactor) -> Vec<u8> {
    let mut line = serde_json::to_vec(&Line { id: ids.next(), event, redactor }).unwrap_or_default();
    line.push(b'\n');
    line
}

impl Writer {
    fn write_one(&mut self, event: &Event) {
        let (topic, line) = (event.topic, line(event, &self.ids, &self.redactor));
        loop {
            let result = self.try_write(topic, &line);
            self.notice(&result);
            match (result, self.when_full) {
                (Ok(()), _) => return COUNTED.add(Some(topic.name()), "recorded", 1),
                (Err(_), WhenFull::Drop) => return COUNTED.add(Some(topic.name()), "failed", 1),
                (Err(_), WhenFull::Refuse) => sleep(TRY_AGAIN),
            }
        }
    }

    /// Writes events, and sees to it that they stay written.
    pub fn write<'e>(&mut self, events: impl Iterator<Item = &'e Event>) {
        events.for_each(|event| self.write_one(event));
        if let Some(files) = &mut self.files {
            let result = files.sync();
            if result.is_err() {
                self.notice(&result);
            }
        }
        if self.stdout {
            drop(io::stdout().flush());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{Body, Component, Head},
        crest::Object,
    };

    fn event(topic: Topic) -> Event {
        let head = Head {
            at: 0,
            name: "X".into(),
            transaction: "t".into(),
            user_id: None,
            tracking_ids: Vec::new(),
            component: Component::Audit,
            realm: None,
        };
        Event { topic, head, body: Body::Reported(Object::new()) }
    }

    fn writer(directory: Directory) -> Writer {
        let ids = Arc::new(Ids::new(7));
        Writer::new(ids, Arc::default(), Some(directory), false, WhenFull::Drop)
    }

    fn lines(path: &Path) -> usize {
        fs::read_to_string(path).map_or(0, |text| text.lines().count())
    }

    #[test]
    fn files_are_put_aside_and_bounded() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("audit");
        let directory = Directory { path: path.clone(), max_file_bytes: 300, max_files: 2, fsync: true };
        directory.prepare().expect("can be written");
        let mut writer = writer(directory.clone());
        for _ in 0..40 {
            writer.write([event(Topic::Config)].iter());
        }
        writer.write([event(Topic::Activity)].iter());
        let mut names: Vec<_> = fs::read_dir(&path).expect("a directory").flatten().map(|e| e.file_name()).collect();
        names.sort();
        assert_eq!(names, ["activity.audit.json", "config.audit.json", "config.audit.json.1", "config.audit.json.2"]);
        let line = line(&event(Topic::Config), &Ids::new(7), &Redactor::default()).len() as u64;
        for number in 0..=2 {
            let size = fs::metadata(directory.file(Topic::Config, number)).expect("a file").len();
            assert!(size <= 300 + 2 * line, "{size}");
        }
    }

    #[test]
    fn a_torn_line_is_ended_and_a_missing_directory_comes_back() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("audit");
        let directory = Directory { path: path.clone(), max_file_bytes: 1 << 20, max_files: 1, fsync: false };
        directory.prepare().expect("can be written");
        let file = directory.file(Topic::Access, 0);
        fs::write(&file, "{\"torn\":").expect("written");
        writer(directory.clone()).write([event(Topic::Access)].iter());
        let text = fs::read_to_string(&file).expect("a file");
        let last = text.lines().last().expect("a line");
        assert_eq!((text.lines().count(), text.lines().next()), (2, Some("{\"torn\":")));
        let expected = "{\"_id\":\"00000000-0000-0000-0000-000000000007-1\",\"timestamp\":\"1970-01-01T00:00:00.000Z\",\
                        \"eventName\":\"X\",\"transactionId\":\"t\",\"component\":\"Audit\",\"source\":\"audit\",\
                        \"topic\":\"access\",\"level\":\"INFO\"}";
        assert_eq!(last, expected);
        // CF-51: while the disk says no, events are lost and counted; then they are written again.
        let mut writer = writer(directory.clone());
        fs::remove_dir_all(&path).expect("removed");
        writer.write([event(Topic::Access)].iter());
        assert!(writer.broken);
        directory.prepare().expect("can be written");
        writer.write([event(Topic::Access)].iter());
        assert_eq!((writer.broken, lines(&file)), (false, 1));
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_told_at_the_start() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("file");
        fs::write(&file, "").expect("written");
        let directory = Directory { path: file.join("audit"), max_file_bytes: 1, max_files: 1, fsync: false };
        assert!(directory.prepare().is_err());
    }
}
