//! fanotify's events with file handles, as bytes: fanotify(7).

/// A file system's own name for a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Handle {
    pub(super) kind: i32,
    pub(super) bytes: Vec<u8>,
}

/// An event as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) mask: u64,
    pub(super) pid: i32,
    /// Folder and name; of a rename the earlier ones.
    pub(super) place: Option<(Handle, String)>,
    /// Folder and name after a rename.
    pub(super) new_place: Option<(Handle, String)>,
    /// The thing itself.
    pub(super) target: Option<Handle>,
}

/// `struct fanotify_event_metadata`
const METADATA: usize = 24;
/// `struct fanotify_event_info_header` and `__kernel_fsid_t`
const INFO_HEADER: usize = 4 + 8;
/// `FAN_EVENT_INFO_TYPE_*`
const FID: u8 = 1;
const DFID_NAME: u8 = 2;
const DFID: u8 = 3;
const OLD_DFID_NAME: u8 = 10;
const NEW_DFID_NAME: u8 = 12;

/// All events of one read; none from where the bytes are not of the expected form.
pub(super) fn parse(mut bytes: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    while let Some((record, length)) = one(bytes) {
        records.push(record);
        bytes = &bytes[length..];
    }
    records
}

fn one(bytes: &[u8]) -> Option<(Record, usize)> {
    let length = usize::try_from(u32::from_ne_bytes(array(bytes, 0)?)).ok()?;
    let metadata = usize::from(u16::from_ne_bytes(array(bytes, 6)?));
    let mask = u64::from_ne_bytes(array(bytes, 8)?);
    let pid = i32::from_ne_bytes(array(bytes, 20)?);
    if metadata < METADATA || length < metadata {
        return None;
    }
    let mut record = Record { mask, pid, place: None, new_place: None, target: None };
    let mut infos = bytes.get(metadata..length)?;
    while !infos.is_empty() {
        let kind = *infos.first()?;
        let size = usize::from(u16::from_ne_bytes(array(infos, 2)?));
        let info = infos.get(..size).filter(|info| info.len() > INFO_HEADER)?;
        match kind {
            FID => record.target = handle(info).map(|(handle, _)| handle),
            DFID_NAME | DFID | OLD_DFID_NAME => record.place = handle(info),
            NEW_DFID_NAME => record.new_place = handle(info),
            _ => {}
        }
        infos = &infos[size..];
    }
    Some((record, length))
}

/// `struct file_handle`, then a name that ends with a zero, where there is one.
fn handle(info: &[u8]) -> Option<(Handle, String)> {
    let handle = &info[INFO_HEADER..];
    let length = usize::try_from(u32::from_ne_bytes(array(handle, 0)?)).ok()?;
    let kind = i32::from_ne_bytes(array(handle, 4)?);
    let bytes = handle.get(8..8 + length)?.to_vec();
    let name = handle[8 + length..].split(|byte| *byte == 0).next().unwrap_or_default();
    Some((Handle { kind, bytes }, String::from_utf8_lossy(name).into_owned()))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(infos: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(u32::try_from(METADATA + infos.len()).unwrap().to_ne_bytes());
        bytes.extend([3, 0]);
        bytes.extend(24_u16.to_ne_bytes());
        bytes.extend(0x100_u64.to_ne_bytes());
        bytes.extend((-1_i32).to_ne_bytes());
        bytes.extend(42_i32.to_ne_bytes());
        bytes.extend(infos);
        bytes
    }

    fn info(kind: u8, handle: &[u8], name: &str) -> Vec<u8> {
        let mut bytes = vec![0; 8];
        bytes.extend(u32::try_from(handle.len()).unwrap().to_ne_bytes());
        bytes.extend(1_i32.to_ne_bytes());
        bytes.extend(handle);
        bytes.extend(name.as_bytes());
        bytes.resize((bytes.len() + 1).next_multiple_of(4), 0);
        let size = u16::try_from(bytes.len() + 4).unwrap().to_ne_bytes();
        [&[kind, 0][..], &size, &bytes].concat()
    }

    #[test]
    fn events_are_read_one_after_the_other() {
        let handle = |number| Handle { kind: 1, bytes: vec![number; 4] };
        let first = event(&[info(DFID_NAME, &[1; 4], "file"), info(FID, &[2; 4], "")].concat());
        let second = event(&[info(OLD_DFID_NAME, &[3; 4], "a"), info(NEW_DFID_NAME, &[4; 4], "b")].concat());
        let records = parse(&[first, second].concat());
        assert_eq!(records.len(), 2);
        assert_eq!(records[0].pid, 42);
        assert_eq!(records[0].place, Some((handle(1), "file".into())));
        assert_eq!(records[0].target, Some(handle(2)));
        assert_eq!(records[1].place, Some((handle(3), "a".into())));
        assert_eq!(records[1].new_place, Some((handle(4), "b".into())));
    }

    #[test]
    fn cut_off_bytes_are_no_event() {
        let whole = event(&info(DFID_NAME, &[1; 4], "file"));
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length]), [], "{length}");
        }
    }
}
