//! The content of an answer, out of what comes over the connection.

use std::io::{self, BufRead, Read};

/// How the end of the content is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// Each chunk says how long it is.
    Chunked,
    /// Where the connection ends.
    Close,
}

/// Returns the content.
pub(super) fn of(stream: impl BufRead + 'static, framing: Framing, packed: bool) -> Box<dyn Read> {
    let body = Body { stream, framing, left: 0, started: false };
    if packed && framing != Framing::Length(0) {
        Box::new(flate2::read::MultiGzDecoder::new(body))
    } else {
        Box::new(body)
    }
}

struct Body<R> {
    stream: R,
    framing: Framing,
    /// Of the chunk.
    left: u64,
    started: bool,
}

fn cut_off() -> io::Error {
    io::Error::from(io::ErrorKind::UnexpectedEof)
}

impl<R: BufRead> Body<R> {
    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        (&mut self.stream).take(8192).read_until(b'\n', &mut line)?;
        if line.ends_with(b"\n") {
            Ok(String::from_utf8_lossy(&line).trim().to_owned())
        } else {
            Err(cut_off())
        }
    }

    /// Reads the head of the next chunk.
    fn chunk(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.started, true) {
            self.line()?;
        }
        let line = self.line()?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        self.left = u64::from_str_radix(digits, 16)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a chunk without its length"))?;
        if self.left == 0 {
            while !self.line()?.is_empty() {}
            self.framing = Framing::Length(0);
        }
        Ok(())
    }

    fn some(&mut self, buffer: &mut [u8], left: u64) -> io::Result<usize> {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        match self.stream.read(&mut buffer[..most])? {
            0 => Err(cut_off()),
            n => Ok(n),
        }
    }
}

impl<R: BufRead> Read for Body<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.framing == Framing::Chunked && self.left == 0 {
            self.chunk()?;
        }
        match self.framing {
            Framing::Length(0) => Ok(0),
            Framing::Length(left) => {
                let n = self.some(buffer, left)?;
                self.framing = Framing::Length(left - n as u64);
                Ok(n)
            }
            Framing::Chunked => {
                let n = self.some(buffer, self.left)?;
                self.left -= n as u64;
                Ok(n)
            }
            Framing::Close => match self.stream.read(buffer) {
                // A server that closes without a word of farewell in TLS.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                other => other,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn read(bytes: &'static [u8], framing: Framing) -> io::Result<String> {
        let mut text = String::new();
        of(Cursor::new(bytes), framing, false).read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn every_framing() {
        assert_eq!(read(b"abcdef", Framing::Length(3)).unwrap(), "abc");
        assert_eq!(read(b"abcdef", Framing::Close).unwrap(), "abcdef");
        assert_eq!(
            read(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: x\r\n\r\n", Framing::Chunked).unwrap(),
            "abcde"
        );
        for (cut, framing) in [
            (&b"ab"[..], Framing::Length(3)),
            (b"3\r\nab", Framing::Chunked),
            (b"3\r\nabc\r\n", Framing::Chunked),
        ] {
            assert_eq!(read(cut, framing).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
        assert!(read(b"x\r\nabc\r\n", Framing::Chunked).is_err());
    }
}
