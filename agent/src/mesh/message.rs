//! What hosts of a mesh say to each other: one short line each way. Pure.

use garboard_protocol::mesh::Said;

/// Longer ones are none of ours: nonce and two host names of at most 64 bytes each, and the words between.
pub(super) const MOST_BYTES: usize = 256;

/// Every line begins so. Where a VXLAN device holds the port, the kernel takes the first byte for the flags of a VXLAN
/// header, and drops at once what lacks the flag 0x08 (RFC 7348, section 5), as `g` does.
const START: &str = "garboard-mesh";

/// What a host says that comes.
pub(super) fn question(nonce: &str, said: &Said) -> Vec<u8> {
    format!("{START} ask {nonce} {} {}\n", said.from, said.to).into_bytes()
}

/// Reads a question; `None` when it is none of this mesh.
pub(super) fn read_question(line: &[u8], nonce: &str) -> Option<Said> {
    match words(line)?.as_slice() {
        [START, "ask", theirs, from, to] if *theirs == nonce => {
            Some(Said { from: (*from).to_owned(), to: (*to).to_owned() })
        }
        _ => None,
    }
}

/// What a host answers.
pub(super) fn answer(nonce: &str, host: &str) -> Vec<u8> {
    format!("{START} am {nonce} {host}\n").into_bytes()
}

/// Reads an answer: the name of the host; `None` when it is none of this mesh.
pub(super) fn read_answer(line: &[u8], nonce: &str) -> Option<String> {
    match words(line)?.as_slice() {
        [START, "am", theirs, host] if *theirs == nonce => Some((*host).to_owned()),
        _ => None,
    }
}

fn words(line: &[u8]) -> Option<Vec<&str>> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    (line.len() < MOST_BYTES).then(|| line.split(' ').collect())
}

#[cfg(test)]
mod tests {
    use garboard_protocol::mesh::Said;

    use super::{answer, question, read_answer, read_question};

    #[test]
    fn question_and_answer_arrive_and_those_of_another_mesh_do_not() {
        let said = Said { from: "cp1".into(), to: "w1".into() };
        assert_eq!(read_question(&question("n1", &said), "n1"), Some(said.clone()));
        assert_eq!(read_question(&question("n2", &said), "n1"), None);
        assert_eq!(read_answer(&answer("n1", "w1"), "n1").as_deref(), Some("w1"));
        assert_eq!(read_answer(&answer("n2", "w1"), "n1"), None);
        assert_eq!(read_answer(&question("n1", &said), "n1"), None);
        for line in [b"".as_slice(), b"\n", b"SSH-2.0-OpenSSH\r\n", b"\xff\xfe\n", b"garboard-mesh am n1 w1"]
        {
            assert_eq!((read_question(line, "n1"), read_answer(line, "n1")), (None, None), "{line:?}");
        }
    }

    #[test]
    fn a_vxlan_device_takes_no_line_for_a_packet_of_its_own() {
        let said = Said { from: "cp1".into(), to: "w1".into() };
        assert_eq!(question("n", &said)[0] & 0x08, 0);
    }
}
