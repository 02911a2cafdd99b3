//! One signature of simple signing: a binary OpenPGP message with exactly one signature packet (GP-01, GP-02).

use std::io::Read as _;

use pgp::packet::{Packet, PacketParser, Signature};

/// The most that a compressed message may expand to, in bytes. A payload has some hundred.
const MAX_EXPANDED: u64 = 1 << 20;

/// A signature and what it is about, both from the same message. Nothing is verified yet.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) signature: Signature,
    pub(crate) payload: Vec<u8>,
}

impl Message {
    /// Reads a message: a one-pass signature, literal data and the signature; or the older form with the signature
    /// first; either may be compressed as a whole. Everything else is refused, and so is anything that follows.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let packets = packets(bytes)?;
        let packets = match &packets[..] {
            [Packet::CompressedData(compressed)] => {
                let mut expanded = Vec::new();
                compressed
                    .decompress()
                    .map_err(|error| format!("compressed data: {error}"))?
                    .take(MAX_EXPANDED + 1)
                    .read_to_end(&mut expanded)
                    .map_err(|error| format!("compressed data: {error}"))?;
                if expanded.len() as u64 > MAX_EXPANDED {
                    return Err(format!("compressed data expands to more than {MAX_EXPANDED} bytes"));
                }
                self::packets(&expanded)?
            }
            _ => packets,
        };
        match <[Packet; 3]>::try_from(packets) {
            Ok(
                [
                    Packet::OnePassSignature(announced),
                    Packet::LiteralData(data),
                    Packet::Signature(signature),
                ],
            ) if announced.matches(&signature) => Ok(Self::new(signature, data.data())),
            Ok(_) => Err(NOT_ONE.to_owned()),
            Err(packets) => match &packets[..] {
                [Packet::Signature(signature), Packet::LiteralData(data)] => {
                    Ok(Self::new(signature.clone(), data.data()))
                }
                _ => Err(NOT_ONE.to_owned()),
            },
        }
    }

    fn new(signature: Signature, payload: &[u8]) -> Self {
        Self {
            signature,
            payload: payload.to_vec(),
        }
    }
}

const NOT_ONE: &str = "not an OpenPGP message with exactly one signature";

/// More packets than any message that is accepted has.
const MAX_PACKETS: usize = 4;

/// Splits bytes into packets; all of them must belong to one.
fn packets(mut bytes: &[u8]) -> Result<Vec<Packet>, String> {
    let mut packets = Vec::new();
    while !bytes.is_empty() && packets.len() < MAX_PACKETS {
        // A parser of its own for each packet: one that goes on takes half a header for the end.
        let packet = PacketParser::new(&mut bytes).next();
        packets.push(packet.ok_or("truncated packet")?.map_err(|error| error.to_string())?);
    }
    Ok(packets)
}
