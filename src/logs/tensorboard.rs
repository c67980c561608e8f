//! TensorBoard's event files: a stream of length-prefixed, checksummed records, each a protocol buffer `Event`.
//!
//! Of TensorFlow's schema this needs five messages, so they are encoded by hand. Field numbers are those of
//! `tensorflow/core/util/event.proto`, `framework/summary.proto` and `framework/tensor.proto`.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// An event file that is being written.
pub struct EventFile {
    out: BufWriter<File>,
}

impl EventFile {
    /// Starts the only event file of `folder`: those of earlier attempts are removed once the new one is there.
    pub fn replace(folder: &Path) -> io::Result<Self> {
        static FILES: AtomicUsize = AtomicUsize::new(0);
        fs::create_dir_all(folder)?;
        let earlier = event_files(folder)?;
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        // TensorBoard wants `tfevents` and a time in the name; the rest keeps names apart.
        let name = format!("events.out.tfevents.{:010}.{}.{number}", now() as u64, std::process::id());
        let path = folder.join(name);
        let mut file = Self { out: BufWriter::new(File::create(&path)?) };
        file.event(0, |event| event.bytes(3, b"brain.Event:2"))?;
        file.out.flush()?;
        for old in earlier.iter().filter(|old| **old != path) {
            fs::remove_file(old)?;
        }
        Ok(file)
    }

    /// One value for each tag, at a step.
    pub fn scalars<'a>(&mut self, step: u64, values: impl Iterator<Item = (&'a str, f64)>) -> io::Result<()> {
        let mut summary = Message::default();
        for (tag, value) in values {
            let mut entry = Message::default();
            entry.bytes(1, tag.as_bytes());
            entry.float(2, value as f32);
            summary.bytes(1, &entry.0);
        }
        self.event(step, |event| event.bytes(5, &summary.0))
    }

    /// A text card, in Markdown.
    pub fn text(&mut self, tag: &str, markdown: &str) -> io::Result<()> {
        const DT_STRING: u64 = 7;
        let (mut plugin, mut metadata, mut tensor) = (Message::default(), Message::default(), Message::default());
        plugin.bytes(1, b"text");
        metadata.bytes(1, &plugin.0);
        tensor.varint(1, DT_STRING);
        tensor.bytes(2, &[]); // a scalar's shape
        tensor.bytes(8, markdown.as_bytes());
        let (mut entry, mut summary) = (Message::default(), Message::default());
        entry.bytes(1, tag.as_bytes());
        entry.bytes(9, &metadata.0);
        entry.bytes(8, &tensor.0);
        summary.bytes(1, &entry.0);
        self.event(0, |event| event.bytes(5, &summary.0))
    }

    /// Hands what has been written to the file, where TensorBoard sees it.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn event(&mut self, step: u64, what: impl FnOnce(&mut Message)) -> io::Result<()> {
        let mut event = Message::default();
        event.double(1, now());
        event.varint(2, step);
        what(&mut event);
        let length = (event.0.len() as u64).to_le_bytes();
        self.out.write_all(&length)?;
        self.out.write_all(&masked_crc(&length))?;
        self.out.write_all(&event.0)?;
        self.out.write_all(&masked_crc(&event.0))
    }
}

fn event_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_ours = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("events.out.tfevents."))
    };
    let paths: io::Result<Vec<PathBuf>> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect();
    Ok(paths?.into_iter().filter(is_ours).collect())
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// The records' checksum: CRC-32C, rotated and shifted by a constant so that a checksum of checksums is sound.
fn masked_crc(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// A protocol buffer message.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, field: u32, value: u64) {
        self.key(field, 0);
        self.raw(value);
    }

    fn double(&mut self, field: u32, value: f64) {
        self.key(field, 1);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u32, value: &[u8]) {
        self.key(field, 2);
        self.raw(value.len() as u64);
        self.0.extend(value);
    }

    fn float(&mut self, field: u32, value: f32) {
        self.key(field, 5);
        self.0.extend(value.to_le_bytes());
    }

    fn key(&mut self, field: u32, wire: u64) {
        self.raw(u64::from(field) << 3 | wire);
    }

    /// Seven bits a byte, the lowest first, the top bit set on all but the last.
    fn raw(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_framed_and_checksummed() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = EventFile::replace(folder.path()).unwrap();
        file.scalars(300, [("a", 0.5)].into_iter()).unwrap();
        file.flush().unwrap();
        let bytes = fs::read(&event_files(folder.path()).unwrap()[0]).unwrap();
        let mut rest = bytes.as_slice();
        let mut events = Vec::new();
        while !rest.is_empty() {
            let (length, after) = rest.split_at(8);
            assert_eq!(masked_crc(length), after[..4]);
            let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
            let event = &after[4..4 + length];
            assert_eq!(masked_crc(event), after[4 + length..8 + length]);
            events.push(event.to_vec());
            rest = &after[8 + length..];
        }
        assert_eq!(events.len(), 2);
        assert!(events[0].ends_with(b"brain.Event:2"));
        // step 300 as a varint in field 2; a summary of 10 bytes: one value with tag `a` and the float 0.5.
        assert_eq!(events[1][9..], [0x10, 0xac, 0x02, 0x2a, 10, 0x0a, 8, 0x0a, 1, b'a', 0x15, 0, 0, 0, 0x3f]);
    }

    #[test]
    fn another_try_takes_the_place_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..3 {
            EventFile::replace(folder.path()).unwrap();
        }
        assert_eq!(event_files(folder.path()).unwrap().len(), 1);
    }
}
