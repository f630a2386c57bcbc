//! The lines of a file or a pipe, as Bronze would have them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Stdin};
use std::path::Path;

use super::trial::Line;

/// A longer line is cut, as the agent does it where its source says nothing else. Bytes.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// A file or standard input.
#[derive(Debug)]
pub enum Input {
    /// A file.
    File(BufReader<File>),
    /// Standard input.
    Stdin(BufReader<Stdin>),
}

impl Input {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// There is no such file, or it cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::Stdin(BufReader::with_capacity(1 << 18, io::stdin())));
        }
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
        }
        Ok(Self::File(BufReader::with_capacity(1 << 18, file)))
    }

    /// The next lines: `lines_max` at most, fewer at the end, and where a pipe has no more to give for now. None at the
    /// end.
    ///
    /// # Errors
    /// Reading failed.
    pub fn lines(&mut self, lines_max: usize) -> io::Result<Vec<Line>> {
        match self {
            Self::File(reader) => take(reader, lines_max, |_| false),
            Self::Stdin(reader) => take(reader, lines_max, |reader| reader.buffer().is_empty()),
        }
    }

    /// All lines.
    ///
    /// # Errors
    /// Reading failed.
    pub fn all(&mut self) -> io::Result<Vec<Line>> {
        let mut all = Vec::new();
        loop {
            let lines = self.lines(usize::MAX)?;
            if lines.is_empty() {
                return Ok(all);
            }
            all.extend(lines);
        }
    }
}

fn take<R: Read>(
    reader: &mut BufReader<R>,
    lines_max: usize,
    is_enough: impl Fn(&BufReader<R>) -> bool,
) -> io::Result<Vec<Line>> {
    let mut lines = Vec::new();
    let mut bytes = Vec::new();
    while lines.len() < lines_max {
        bytes.clear();
        if reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes)? == 0 {
            break;
        }
        if !bytes.ends_with(b"\n") && bytes.len() as u64 == LINE_BYTES_MAX {
            reader.skip_until(b'\n')?;
        }
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        lines.push(Line::of(line.strip_suffix(b"\r").unwrap_or(line)));
        if is_enough(reader) {
            break;
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_that_bronze_would_have() {
        let long = "x".repeat(LINE_BYTES_MAX as usize + 5);
        let bytes = [b"one\r\n\n", long.as_bytes(), b"\n\xff\nlast"].concat();
        let mut reader = BufReader::with_capacity(7, bytes.as_slice());
        let lines = take(&mut reader, usize::MAX, |_| false).expect("memory reads");
        let lens: Vec<usize> = lines.iter().map(|line| line.text.len()).collect();
        assert_eq!(lens, [3, 0, LINE_BYTES_MAX as usize, 3, 4]);
        assert_eq!(lines[3], Line { text: "\u{fffd}".to_owned(), raw: Some(vec![0xff]) });
    }
}
