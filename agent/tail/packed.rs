//! Many records in little room: a JSON value each, one after the other, compressed (zlib, RFC 1950), in base64 (RFC 4648).
//! A record takes a tenth of its bytes, and a reader that does not want it skips one string.

use std::io::{self, BufRead, BufReader, Write};

use base64::engine::general_purpose::{GeneralPurpose, STANDARD};
use base64::read::DecoderReader;
use base64::write::EncoderStringWriter;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::Serialize;
use serde::de::DeserializeOwned;

type Packer<'a> = ZlibEncoder<EncoderStringWriter<'a, GeneralPurpose, String>>;

/// Packs `records`, their number before them.
///
/// # Errors
/// A record cannot be written as JSON.
pub(super) fn pack<T: Serialize>(
    records: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
) -> serde_json::Result<String> {
    let records = records.into_iter();
    let mut packer = ZlibEncoder::new(EncoderStringWriter::new(&STANDARD), Compression::fast());
    let end = |packer: &mut Packer<'_>| packer.write_all(b"\n").map_err(serde_json::Error::io);
    serde_json::to_writer(&mut packer, &records.len())?;
    end(&mut packer)?;
    for record in records {
        serde_json::to_writer(&mut packer, &record)?;
        end(&mut packer)?;
    }
    Ok(packer.finish().map_err(serde_json::Error::io)?.into_inner())
}

/// Unpacks what [`pack`] packed, one at a time, into `records`.
///
/// # Errors
/// It is damaged, or a record is no `T`; some may be there.
pub(super) fn unpack<T: DeserializeOwned>(packed: &str, records: &mut impl Extend<T>) -> io::Result<()> {
    let mut unpacked = BufReader::new(ZlibDecoder::new(DecoderReader::new(packed.as_bytes(), &STANDARD)));
    let mut said = String::new();
    unpacked.read_line(&mut said)?;
    let mut count = 0_usize;
    for record in serde_json::Deserializer::from_reader(unpacked).into_iter::<T>() {
        records.extend([record?]);
        count += 1;
    }
    match said.trim_end() == count.to_string() {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back_and_what_is_cut_does_not() {
        let unpacked = |packed: &str| {
            let mut numbers: Vec<u32> = Vec::new();
            unpack::<u32>(packed, &mut numbers).map(|()| numbers)
        };
        let numbers: Vec<u32> = (0..5_000).collect();
        let packed = pack(&numbers).unwrap();
        assert!(packed.len() < 27_000, "{}", packed.len());
        assert_eq!(unpacked(&packed).unwrap(), numbers);
        for len in (0..packed.len()).step_by(4) {
            let cut = unpacked(&packed[..len]);
            assert!(cut.is_err(), "{len} of {}: {}", packed.len(), cut.unwrap().len());
        }
        assert!(unpacked(&pack(&[] as &[u32]).unwrap()).unwrap().is_empty());
    }
}
