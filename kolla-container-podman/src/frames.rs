//! The output of a container or of a command, as it comes: a stream cut anywhere, in which each piece says where it is
//! from.

use futures_util::{Stream, StreamExt, stream};
use hyper::body::Bytes;
use kolla_container_core::ErrorKind;
use kolla_container_core::state::LogChunk;

use crate::error::Failure;

/// The length of a frame's header: where it is from, three bytes of nothing, and how long it is.
const HEADER: usize = 8;

/// The output in `bytes`, taken apart.
pub(crate) fn framed(
    bytes: impl Stream<Item = Result<Bytes, Failure>> + Send + Unpin + 'static,
) -> impl Stream<Item = Result<LogChunk, Failure>> + Send + 'static {
    stream::try_unfold((bytes, Frames::default()), |(mut bytes, mut frames)| async move {
        loop {
            if let Some(chunk) = frames.next()? {
                return Ok(Some((chunk, (bytes, frames))));
            }
            match bytes.next().await {
                Some(piece) => frames.piece = piece?,
                None => return frames.end().map(|()| None),
            }
        }
    })
}

/// What has come and is not taken yet.
#[derive(Default)]
struct Frames {
    piece: Bytes,
    header: Vec<u8>,
    /// The frame that is being read: where it is from, and how much of it is still to come.
    open: Option<(Source, u32)>,
}

#[derive(Clone, Copy)]
enum Source {
    Stdout,
    Stderr,
}

impl Frames {
    /// The next piece of a frame; `None` until more has come. How long a frame says that it is costs nothing.
    fn next(&mut self) -> Result<Option<LogChunk>, Failure> {
        while !self.piece.is_empty() {
            match self.open {
                None => self.open = self.header()?,
                Some((_, 0)) => self.open = None,
                Some((source, left)) => {
                    let here = u32::try_from(self.piece.len()).unwrap_or(u32::MAX).min(left);
                    self.open = Some((source, left - here));
                    let text = self.piece.split_to(here as usize).to_vec();
                    return Ok(Some(match source {
                        Source::Stdout => LogChunk::Stdout(text),
                        Source::Stderr => LogChunk::Stderr(text),
                    }));
                }
            }
        }
        Ok(None)
    }

    /// The next frame, once its header is here.
    fn header(&mut self) -> Result<Option<(Source, u32)>, Failure> {
        let missing = HEADER.saturating_sub(self.header.len());
        let here = self.piece.split_to(missing.min(self.piece.len()));
        self.header.extend_from_slice(&here);
        let &[source, _, _, _, a, b, c, d] = self.header.as_slice() else { return Ok(None) };
        self.header.clear();
        let source = match source {
            // What a command reads comes back where a terminal would show it.
            0 | 1 => Source::Stdout,
            2 => Source::Stderr,
            source => {
                let cause = format!("a piece of output is from stream {source}, and there are 0, 1 and 2");
                return Err(Failure::new(ErrorKind::Undecodable, cause));
            }
        };
        Ok(Some((source, u32::from_be_bytes([a, b, c, d]))))
    }

    /// Nothing more will come.
    fn end(&self) -> Result<(), Failure> {
        match self.open {
            None | Some((_, 0)) if self.header.is_empty() => Ok(()),
            _ => Err(Failure::new(ErrorKind::Unreachable, "the output was cut off in the middle of a piece")),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;

    fn frame(source: u8, text: &str) -> Vec<u8> {
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&[source, 0, 0, 0], length.as_slice(), text.as_bytes()].concat()
    }

    /// What is made of `pieces`, pieces of the same source put together.
    async fn read(pieces: &[&[u8]]) -> Result<Vec<LogChunk>, Failure> {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let chunks = framed(stream::iter(pieces)).try_fold(Vec::new(), async |mut all, chunk| {
            match (all.last_mut(), chunk) {
                (Some(LogChunk::Stdout(all)), LogChunk::Stdout(more))
                | (Some(LogChunk::Stderr(all)), LogChunk::Stderr(more)) => all.extend(more),
                (_, chunk) => all.push(chunk),
            }
            Ok(all)
        });
        chunks.await
    }

    #[tokio::test]
    async fn output_is_taken_apart_wherever_it_is_cut() {
        let bytes = [frame(1, "out"), frame(2, ""), frame(2, "err\n"), frame(0, "in")].concat();
        let expected =
            [LogChunk::Stdout(b"out".into()), LogChunk::Stderr(b"err\n".into()), LogChunk::Stdout(b"in".into())];

        for first in 0..bytes.len() {
            for second in first..bytes.len() {
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(read(&pieces).await.unwrap(), expected, "{first} {second}");
            }
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single).await.unwrap(), expected);
    }

    #[tokio::test]
    async fn output_that_ends_in_the_middle_was_cut_off() {
        let bytes = frame(1, "out");

        for length in 1..bytes.len() {
            let failure = read(&[&bytes[..length]]).await.unwrap_err();
            assert_eq!(failure.kind(), ErrorKind::Unreachable, "{length}");
        }
        assert_eq!(read(&[]).await, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn output_from_nowhere_is_not_understood() {
        let failure = read(&[b"HTTP/1.1 500"]).await.unwrap_err();

        let cause = "a piece of output is from stream 72, and there are 0, 1 and 2";
        assert_eq!(failure, Failure::new(ErrorKind::Undecodable, cause));
    }

    #[tokio::test]
    async fn a_piece_that_says_it_is_huge_is_passed_on_as_it_comes() {
        let bytes: &[u8] = &[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, b'a'];
        let mut chunks = Box::pin(framed(stream::iter([Ok(Bytes::from_static(bytes))])));

        assert_eq!(chunks.next().await, Some(Ok(LogChunk::Stdout(b"a".into()))));
        assert_eq!(chunks.next().await.unwrap().unwrap_err().kind(), ErrorKind::Unreachable);
    }
}
