//! Numbered frames (log entries, snapshot parts) as records of a [`Tree`], and back.
//!
//! ```text
//! key    number of the first frame, u64 BE ‖ part, u16 BE
//! value  version u8 ‖ crc32 of key and body, u32 BE ‖ body           at most 5.5 KiB
//! body   part 0: (length u32 BE ‖ frame)*   a frame that is longer than the record goes on in
//!        part 1…: the rest of it
//! ```
//! The key is under the checksum too, so that a record in the wrong place is found out. Why 5.5 KiB: sled keeps up to 17
//! records in a leaf, and a leaf over 128 KiB ends up in a side file that it never syncs.

use super::disk::{Change, Tree};
use crate::{codec, limits::MAX_DECODE_BYTES};
use serde::de::DeserializeOwned;
use std::{io, ops::ControlFlow};

/// Most bytes of a record's value.
pub const RECORD: usize = 5632;
/// What this build writes as the first byte of each value.
pub const VERSION: u8 = 1;
/// Version and checksum.
const HEAD: usize = 5;
const LENGTH: usize = 4;
/// Longest frame that fits a record whole.
const WHOLE: usize = RECORD - HEAD - LENGTH;

/// The key of a frame's record.
pub fn key(number: u64, part: u16) -> [u8; 10] {
    let mut key = [0; 10];
    key[..8].copy_from_slice(&number.to_be_bytes());
    key[8..].copy_from_slice(&part.to_be_bytes());
    key
}

/// Number and part of a record's key.
pub fn parse_key(key: &[u8]) -> io::Result<(u64, u16)> {
    let (number, part) = key.split_first_chunk::<8>().ok_or_else(|| corrupt("a key is too short"))?;
    let part = part.try_into().map_err(|_| corrupt("a key has the wrong length"))?;
    Ok((u64::from_be_bytes(*number), u16::from_be_bytes(part)))
}

/// An error that says what is wrong with what lies on the disk.
pub fn corrupt(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("corrupt store: {what}"))
}

/// `body` as the value of a record.
pub fn seal(key: &[u8], body: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEAD + body.len());
    value.push(VERSION);
    value.extend_from_slice(&checksum(key, body).to_be_bytes());
    value.extend_from_slice(body);
    value
}

/// The body of a record's value.
///
/// # Errors
/// `InvalidData` if it is not what was written under this key, or was written by a newer build.
pub fn unseal<'v>(key: &[u8], value: &'v [u8]) -> io::Result<&'v [u8]> {
    let (&version, rest) = value.split_first().ok_or_else(|| corrupt("an empty record"))?;
    if version != VERSION {
        return Err(corrupt(format_args!("a record of unknown version {version}")));
    }
    let (sum, body) = rest.split_first_chunk::<4>().ok_or_else(|| corrupt("a record without checksum"))?;
    if u32::from_be_bytes(*sum) != checksum(key, body) {
        return Err(corrupt(format_args!("checksum of record {key:02x?}")));
    }
    Ok(body)
}

/// The value under `key`, decoded.
pub fn setting<T: DeserializeOwned>(tree: &dyn Tree, key: &[u8]) -> io::Result<Option<T>> {
    let Some(value) = tree.get(key)? else { return Ok(None) };
    Ok(Some(codec::decode(unseal(key, &value)?)?))
}

fn checksum(key: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(body);
    hasher.finalize()
}

/// Collects consecutive frames into records.
#[derive(Default)]
pub struct Packer {
    first: u64,
    body: Vec<u8>,
}

impl Packer {
    /// Adds frame `number`, which follows the one before it.
    pub fn push(&mut self, tree: &dyn Tree, number: u64, frame: &[u8]) -> io::Result<()> {
        let length = u32::try_from(frame.len()).map_err(io::Error::other)?.to_be_bytes();
        if self.body.len() + LENGTH + frame.len() > RECORD - HEAD {
            self.flush(tree)?;
        }
        if frame.len() > WHOLE {
            return split(tree, number, length, frame);
        }
        if self.body.is_empty() {
            self.first = number;
        }
        self.body.extend_from_slice(&length);
        self.body.extend_from_slice(frame);
        Ok(())
    }

    /// Writes what is left.
    pub fn flush(&mut self, tree: &dyn Tree) -> io::Result<()> {
        if self.body.is_empty() {
            return Ok(());
        }
        let key = key(self.first, 0);
        tree.put(&key, &seal(&key, &self.body))?;
        self.body.clear();
        Ok(())
    }
}

/// Writes one long frame over several records, all or none.
fn split(tree: &dyn Tree, number: u64, length: [u8; 4], frame: &[u8]) -> io::Result<()> {
    let (head, rest) = frame.split_at(WHOLE);
    let head = [&length, head].concat();
    let parts = std::iter::once(head.as_slice()).chain(rest.chunks(RECORD - HEAD));
    let mut changes = Vec::with_capacity(2 + rest.len() / (RECORD - HEAD));
    for (part, body) in parts.enumerate() {
        let key = key(number, u16::try_from(part).map_err(io::Error::other)?);
        changes.push(Change::Put(key.into(), seal(&key, body)));
    }
    tree.write(changes)
}

/// Sees a frame's number and content.
pub type VisitFrame<'a> = &'a mut dyn FnMut(u64, &[u8]) -> io::Result<ControlFlow<()>>;

/// Visits the frames from number `from` on, or from the first one after it, until the visitor breaks off.
///
/// # Errors
/// `InvalidData` if a record is not what was written, or one is missing between others.
pub fn read(tree: &dyn Tree, from: u64, visit: VisitFrame<'_>) -> io::Result<()> {
    let start = match tree.floor(&key(from, 0))? {
        Some((at, _)) => parse_key(&at)?.0,
        None => from,
    };
    let mut reader = Reader { from, next: None, long: None };
    tree.scan(&key(start, 0), &mut |key, value| reader.record(key, value, visit))?;
    match reader.long {
        Some(long) => Err(corrupt(format_args!("the end of frame {} is missing", long.number))),
        None => Ok(()),
    }
}

struct Reader {
    from: u64,
    next: Option<u64>,
    long: Option<Long>,
}

/// A frame that goes on in further records.
struct Long {
    number: u64,
    length: usize,
    content: Vec<u8>,
    part: u16,
}

impl Reader {
    fn record(&mut self, key: &[u8], value: &[u8], visit: VisitFrame<'_>) -> io::Result<ControlFlow<()>> {
        let (number, part) = parse_key(key)?;
        let body = unseal(key, value)?;
        if let Some(mut long) = self.long.take() {
            if (number, part) != (long.number, long.part) {
                return Err(corrupt(format_args!("part {} of frame {} is missing", long.part, long.number)));
            }
            long.content.extend_from_slice(body);
            long.part = long.part.saturating_add(1);
            return match long.content.len().cmp(&long.length) {
                std::cmp::Ordering::Less => {
                    self.long = Some(long);
                    Ok(ControlFlow::Continue(()))
                }
                std::cmp::Ordering::Equal => self.frame(number, &long.content, visit),
                std::cmp::Ordering::Greater => Err(corrupt(format_args!("frame {number} is too long"))),
            };
        }
        if part != 0 || self.next.is_some_and(|next| next != number) {
            return Err(corrupt(format_args!("found {number}.{part} where {:?} was due", self.next)));
        }
        let (mut number, mut rest) = (number, body);
        while !rest.is_empty() {
            let (length, after) =
                rest.split_first_chunk::<LENGTH>().ok_or_else(|| corrupt("a frame without length"))?;
            let length = usize::try_from(u32::from_be_bytes(*length)).map_err(io::Error::other)?;
            if let Some((frame, after)) = after.split_at_checked(length) {
                rest = after;
                if self.frame(number, frame, visit)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                number += 1;
            } else if rest.len() == body.len() && length <= MAX_DECODE_BYTES + HEAD {
                self.long = Some(Long { number, length, content: after.to_vec(), part: 1 });
                return Ok(ControlFlow::Continue(()));
            } else {
                return Err(corrupt(format_args!("frame {number} does not fit its record")));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn frame(&mut self, number: u64, frame: &[u8], visit: VisitFrame<'_>) -> io::Result<ControlFlow<()>> {
        self.next = Some(number + 1);
        if number < self.from { Ok(ControlFlow::Continue(())) } else { visit(number, frame) }
    }
}

/// How a run of whole frames, or the head of a long one, is cut before frame `end`. `None`: the record begins at `end` or
/// later, or ends before it anyway; nothing to rewrite.
pub fn cut(tree: &dyn Tree, end: u64) -> io::Result<Option<Change>> {
    let Some((at, value)) = tree.floor(&key(end, 0))? else { return Ok(None) };
    let (number, part) = parse_key(&at)?;
    if number >= end || part != 0 {
        return Ok(None);
    }
    let body = unseal(&at, &value)?;
    let mut kept = 0;
    for _ in number..end {
        let Some(length) = body.get(kept..).and_then(|rest| rest.first_chunk::<LENGTH>()) else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(io::Error::other)?;
        kept = kept.saturating_add(LENGTH).saturating_add(length);
    }
    Ok(body.get(..kept).filter(|kept| kept.len() < body.len()).map(|kept| Change::Put(at.clone(), seal(&at, kept))))
}

/// Removes frames from number `from` on, all of them or none.
pub fn truncate(tree: &dyn Tree, from: u64) -> io::Result<()> {
    let mut changes: Vec<Change> = cut(tree, from)?.into_iter().collect();
    tree.scan(&key(from, 0), &mut |key, _| {
        changes.push(Change::Remove(key.into()));
        Ok(ControlFlow::Continue(()))
    })?;
    if changes.is_empty() { Ok(()) } else { tree.write(changes) }
}

/// Removes up to `most` of the records that hold nothing but frames below `before`, lowest first. A run that is half covered
/// stays. Says whether there may be more.
pub fn sweep(tree: &dyn Tree, before: u64, most: usize) -> io::Result<bool> {
    let bound = match cut(tree, before)? {
        Some(Change::Put(at, _)) => parse_key(&at)?.0,
        _ => before,
    };
    let mut found = Vec::new();
    tree.scan(&key(0, 0), &mut |key, _| {
        if found.len() == most || parse_key(key)?.0 >= bound {
            return Ok(ControlFlow::Break(()));
        }
        found.push(Change::Remove(key.into()));
        Ok(ControlFlow::Continue(()))
    })?;
    let more = found.len() == most;
    // One by one: what a crash leaves is still without holes.
    found.into_iter().try_for_each(|change| tree.write(vec![change]))?;
    Ok(more)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            Disk,
            memory::{Faults, MemoryDisk},
        },
        *,
    };
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// R-4: what one build wrote, every later one reads.
    #[test]
    fn the_layout_is_pinned() {
        assert_eq!(key(0x0102, 3), [0, 0, 0, 0, 0, 0, 1, 2, 0, 3]);
        assert_eq!(seal(b"k", b"ab"), [1, 0x64, 0x99, 0xA7, 0x41, b'a', b'b']);
        let disk = MemoryDisk::new(&Faults::new());
        let tree = disk.tree("t").expect("a tree");
        let mut packer = Packer::default();
        packer.push(&*tree, 7, b"x").expect("packed");
        packer.push(&*tree, 8, b"yz").expect("packed");
        packer.flush(&*tree).expect("written");
        let value = tree.get(&key(7, 0)).expect("read").expect("there");
        assert_eq!(value[5..], [0, 0, 0, 1, b'x', 0, 0, 0, 2, b'y', b'z']);
    }

    #[test]
    fn a_record_is_believed_only_where_it_was_written() {
        let value = seal(b"here", b"body");
        assert_eq!(unseal(b"here", &value).expect("fine"), b"body");
        for (key, value) in
            [(&b"there"[..], &value[..]), (b"here", &value[..8]), (b"here", &value[..3]), (b"here", b"")]
        {
            assert_eq!(unseal(key, value).map_err(|e| e.kind()), Err(io::ErrorKind::InvalidData));
        }
        let newer = [&[VERSION + 1], &value[1..]].concat();
        assert!(unseal(b"here", &newer).expect_err("unknown").to_string().contains("version 2"));
    }

    #[derive(Clone, Debug)]
    enum Op {
        /// Frames of these sizes, packed together.
        Push(Vec<usize>),
        /// Drops this many of the newest.
        Truncate(u64),
        /// Drops this many of the oldest, in so many records at a time.
        Sweep(u64, usize),
        /// Reads from this far after the oldest.
        Read(u64),
    }

    fn op() -> impl Strategy<Value = Op> {
        let size = prop_oneof![8 => 0..600usize, 2 => 5500..5800usize, 1 => 11_000..18_000usize];
        prop_oneof![
            4 => prop::collection::vec(size, 1..12).prop_map(Op::Push),
            1 => (0..9u64).prop_map(Op::Truncate),
            1 => (0..9u64, 1..4usize).prop_map(|(frames, records)| Op::Sweep(frames, records)),
            1 => (0..12u64).prop_map(Op::Read),
        ]
    }

    proptest! {
        /// Whatever is written, cut and swept: what is read is what a plain map holds, and no record is too large.
        #[test]
        fn frames_are_what_a_map_would_hold(ops in prop::collection::vec(op(), 1..30)) {
            let disk = MemoryDisk::new(&Faults::new());
            let tree = disk.tree("t")?;
            let (mut model, mut first, mut next) = (BTreeMap::<u64, Vec<u8>>::new(), 0, 0);
            for op in ops {
                let mut from = first;
                match op {
                    Op::Push(sizes) => {
                        let mut packer = Packer::default();
                        for size in sizes {
                            let frame = vec![next as u8; size];
                            packer.push(&*tree, next, &frame)?;
                            model.insert(next, frame);
                            next += 1;
                        }
                        packer.flush(&*tree)?;
                    }
                    Op::Truncate(frames) => {
                        next = next.saturating_sub(frames).max(first);
                        truncate(&*tree, next)?;
                        model.split_off(&next);
                    }
                    Op::Sweep(frames, records) => {
                        first = (first + frames).min(next);
                        while sweep(&*tree, first, records)? {}
                        model = model.split_off(&first);
                        from = first;
                    }
                    Op::Read(after) => from = first + after,
                }
                let mut found = Vec::new();
                read(&*tree, from, &mut |number, frame| {
                    found.push((number, frame.to_vec()));
                    Ok(ControlFlow::Continue(()))
                })?;
                let expected: Vec<_> = model.range(from..).map(|(&number, frame)| (number, frame.clone())).collect();
                prop_assert_eq!(found, expected);
                prop_assert!(disk.keys("t").iter().all(|(_, size)| *size <= RECORD));
            }
        }
    }
}
