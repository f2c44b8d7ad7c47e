//! The seam on the real machine: files in a temporary folder, and commands.

use std::cell::RefCell;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use garboard_agent::system::{
    Command, CommandError, FileLock, Kind, Live, Look as _, Real, System as _, temporary,
};
use garboard_protocol::Digest;

#[test]
fn a_write_replaces_content_and_mode_and_leaves_no_temporary_file() {
    let root = tempfile::tempdir().unwrap();
    let (host, path) = (Real::below(root.path()), Path::new("/file"));
    fs_err::write(root.path().join(".file.garboard-new"), "left by a crash").unwrap();
    host.write(path, b"one", 0o600).unwrap();
    let first = host.metadata(path).unwrap().unwrap();
    host.write(path, b"two", 0o4755).unwrap();
    let second = host.metadata(path).unwrap().unwrap();
    assert_eq!((first.kind, first.mode, first.size), (Kind::File, 0o600, 3));
    assert_eq!(second.mode, 0o4755);
    assert_ne!(first.inode, second.inode, "it was written in place");
    assert_eq!(host.list(Path::new("/")).unwrap(), ["file"]);
}

#[test]
fn a_write_through_a_link_replaces_the_link_and_not_its_target() {
    let root = tempfile::tempdir().unwrap();
    let host = Real::below(root.path());
    fs_err::write(root.path().join("target"), "theirs").unwrap();
    host.symlink(Path::new("target"), Path::new("/link")).unwrap();
    host.write(Path::new("/link"), b"ours", 0o644).unwrap();
    assert_eq!(fs_err::read_to_string(root.path().join("target")).unwrap(), "theirs");
    assert_eq!(host.metadata(Path::new("/link")).unwrap().unwrap().kind, Kind::File);
}

#[test]
fn content_with_another_digest_is_not_installed_and_the_old_file_stays() {
    let root = tempfile::tempdir().unwrap();
    let (host, path) = (Real::below(root.path()), Path::new("/program"));
    host.write(path, b"old", 0o755).unwrap();
    fs_err::write(root.path().join("blob"), "flipped").unwrap();
    let error = host.install(Path::new("/blob"), Digest::of(b"wanted"), path, 0o755).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert_eq!(host.read(path).unwrap(), b"old");
    assert!(!temporary(&root.path().join("program")).exists());
    fs_err::write(root.path().join("blob"), "wanted").unwrap();
    host.install(Path::new("/blob"), Digest::of(b"wanted"), path, 0o755).unwrap();
    assert_eq!(host.read(path).unwrap(), b"wanted");
}

#[test]
fn append_adds_to_what_is_there() {
    let root = tempfile::tempdir().unwrap();
    let (host, path) = (Real::below(root.path()), Path::new("/log"));
    host.append(path, b"one\n", 0o600).unwrap();
    host.append(path, b"two\n", 0o600).unwrap();
    assert_eq!(host.read(path).unwrap(), b"one\ntwo\n");
    assert_eq!(fs_err::metadata(root.path().join("log")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_is_not_there_has_no_metadata_also_below_a_file() {
    let root = tempfile::tempdir().unwrap();
    let host = Real::below(root.path());
    host.write(Path::new("/file"), b"", 0o644).unwrap();
    assert_eq!(host.metadata(Path::new("/absent")).unwrap(), None);
    assert_eq!(host.metadata(Path::new("/file/below")).unwrap(), None);
    let there = host.metadata(Path::new("/file")).unwrap().unwrap();
    let found = fs_err::metadata(root.path().join("file")).unwrap();
    assert_eq!((there.inode, there.device), (found.ino(), found.dev()));
}

#[test]
fn a_command_gets_a_fixed_environment_and_its_input() {
    let host = Real::host();
    let output = host.ask(&Command::new("env", [""; 0])).unwrap();
    let mut names: Vec<&str> = output.stdout.lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "LC_ALL", "PATH"]);
    let large = vec![b'x'; 1_000_000];
    let count = host.run(&Command::new("wc", ["-c"]).input(large)).unwrap();
    assert_eq!(count.stdout.trim(), "1000000");
}

#[test]
fn a_command_that_fails_is_shown_with_what_it_said() {
    let error = Real::host().ask(&Command::new("ls", ["/does/not/exist"])).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("`ls /does/not/exist`") && text.contains("No such file"), "{text}");
    assert!(Real::host().ask(&Command::new("ls", ["/does/not/exist"]).expect(&[0, 2])).is_ok());
    let missing = Real::host().ask(&Command::new("no-such-program", [""; 0])).unwrap_err();
    assert!(
        matches!(missing, CommandError::Start { source, .. } if source.kind() == io::ErrorKind::NotFound)
    );
}

#[test]
fn a_command_that_takes_too_long_dies_with_its_children() {
    let begun = Instant::now();
    let command = Command::new("sh", ["-c", "echo begun; sleep 300 & echo $!; wait"]);
    let error = Real::host().run(&command.timeout(Duration::from_secs(2))).unwrap_err();
    assert!(begun.elapsed() < Duration::from_mins(1));
    let CommandError::Timeout { printed, .. } = error else { panic!("{error}") };
    assert!(printed.starts_with("begun"), "{printed}");
    let child = printed.lines().nth(1).unwrap();
    // Killed with the group: it is gone once it had its turn to die. What may be left for a moment is a zombie that init reaps.
    let killed = Instant::now();
    loop {
        let state = fs_err::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        if state.is_empty() || state.contains(") Z ") {
            break;
        }
        assert!(killed.elapsed() < Duration::from_secs(30), "{state}");
        std::thread::yield_now();
    }
}

#[test]
fn a_grandchild_that_keeps_the_output_open_does_not_hold_the_command_up() {
    let begun = Instant::now();
    let output = Real::host().run(&Command::new("sh", ["-c", "sleep 60 & echo done"])).unwrap();
    assert_eq!(output.stdout, "done\n");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn only_the_end_of_a_long_output_is_kept() {
    let command = Command::new("seq", ["1", "100000"]);
    let output = Real::host().ask(&command).unwrap();
    assert_eq!(output.stdout.len(), garboard_protocol::limits::OUTPUT_BYTES);
    assert!(output.stdout.ends_with("99999\n100000\n"));
    let whole = Real::host().ask(&command.whole()).unwrap();
    assert_eq!(whole.stdout.lines().count(), 100_000);
}

#[test]
fn lines_come_while_the_command_reads_what_it_is_fed() {
    let lines = RefCell::new(Vec::new());
    let mut feed = |input: &mut dyn io::Write| {
        for number in 0..2000 {
            io::Write::write_all(input, format!("line {number}\n").as_bytes())?;
        }
        Ok(())
    };
    let live = Live {
        feed: Some(&mut feed),
        line: Some(&mut |line: &str| lines.borrow_mut().push(line.to_owned())),
    };
    let output = Real::host().run_live(&Command::new("cat", [""; 0]), live).unwrap();
    let lines = lines.into_inner();
    assert_eq!((lines.len(), lines[1999].as_str()), (2000, "line 1999"));
    assert_eq!(output.stdout.lines().count(), 2000);
}

#[test]
fn an_error_of_the_feed_kills_the_command_and_is_the_cause() {
    let begun = Instant::now();
    let mut feed = |input: &mut dyn io::Write| {
        input.write_all(b"some")?;
        Err(io::Error::new(io::ErrorKind::InvalidData, "the blob is not what it should be"))
    };
    let command = Command::new("sh", ["-c", "cat >/dev/null; sleep 60"]);
    let error = Real::host().run_live(&command, Live { feed: Some(&mut feed), line: None }).unwrap_err();
    assert!(
        matches!(&error, CommandError::Input { source, .. } if source.to_string().contains("not what")),
        "{error}"
    );
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_command_that_stops_reading_tells_its_own_reason() {
    let mut feed = |input: &mut dyn io::Write| input.write_all(&vec![0; 4_000_000]);
    let command = Command::new("sh", ["-c", "echo no space >&2; exit 3"]);
    let error = Real::host().run_live(&command, Live { feed: Some(&mut feed), line: None }).unwrap_err();
    assert!(
        matches!(&error, CommandError::Exit { code: 3, stderr, .. } if stderr == "no space"),
        "{error:?}"
    );
}

/// Locks a file, says so, and keeps the lock until its standard input ends.
const HOLDER: &str = r#"
use Fcntl; open(my $file, "+<", $ARGV[0]) or die; my $lock = pack("s s x4 q q i x4", F_WRLCK, 0, 0, 0, 0);
fcntl($file, F_SETLK, $lock) or die; $| = 1; print "held\n"; <STDIN>; close($file); print "closed\n"; <STDIN>;
"#;

#[test]
fn who_holds_a_lock_is_known_and_its_end_is_an_event() {
    let root = tempfile::tempdir().unwrap();
    let (host, path) = (Real::below(root.path()), Path::new("/lock"));
    assert_eq!(host.lock_of(path).unwrap(), FileLock::Free, "there is no such file");
    fs_err::write(root.path().join("lock"), "").unwrap();
    assert_eq!(host.lock_of(path).unwrap(), FileLock::Free);
    let mut holder = std::process::Command::new("perl")
        .args(["-e", HOLDER])
        .arg(root.path().join("lock"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = io::BufReader::new(holder.stdout.take().unwrap());
    let mut line = String::new();
    io::BufRead::read_line(&mut said, &mut line).unwrap();
    assert_eq!((line.as_str(), host.lock_of(path).unwrap()), ("held\n", FileLock::HeldBy(holder.id())));
    host.wait_for_lock(path, Duration::from_millis(50)).unwrap();
    assert_eq!(host.lock_of(path).unwrap(), FileLock::HeldBy(holder.id()), "looking took the lock away");

    let mut input = holder.stdin.take().unwrap();
    let (begun, longest) = (Instant::now(), Duration::from_secs(30));
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| host.wait_for_lock(path, longest));
        // The holder lives on: it is the close that is seen.
        io::Write::write_all(&mut input, b"\n").unwrap();
        waiter.join().unwrap().unwrap();
    });
    assert!(begun.elapsed() < longest, "the end was not seen");
    assert_eq!(host.lock_of(path).unwrap(), FileLock::Free);
    drop(input);
    assert!(holder.wait().unwrap().success());
}
