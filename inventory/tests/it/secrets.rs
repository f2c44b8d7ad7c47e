//! Secrets by reference.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use garboard_inventory::{Secret, SecretError, SecretReference};

fn command(words: &[&str]) -> SecretReference {
    SecretReference::Command(words.iter().map(ToString::to_string).collect())
}

fn file(folder: &tempfile::TempDir, text: &[u8], mode: u32) -> PathBuf {
    let path = folder.path().join("secret");
    fs_err::write(&path, text).unwrap();
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

#[test]
fn a_variable_gives_its_text() {
    let reference = SecretReference::Env("TOKEN".to_owned());
    let secret = reference.resolve_with(|name| (name == "TOKEN").then(|| "hunter2".into())).unwrap();
    assert_eq!(secret.expose(), "hunter2");
    let error = reference.resolve_with(|_| None).unwrap_err();
    assert!(error.to_string().contains("`TOKEN` is not set"), "{error}");
    assert!(reference.resolve_with(|_| Some(OsString::new())).unwrap_err().to_string().contains("is empty"));
    let error = reference.resolve_with(|_| Some(OsString::from_vec(vec![0xff]))).unwrap_err();
    assert!(error.to_string().contains("not UTF-8"), "{error}");
}

#[test]
fn a_file_gives_its_text_without_the_last_line_break() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, b" hunter2 \n", 0o600);
    assert_eq!(SecretReference::File(path).resolve().unwrap().expose(), " hunter2 ");
    let path = file(&folder, b"two\nlines\r\n", 0o400);
    assert_eq!(SecretReference::File(path).resolve().unwrap().expose(), "two\nlines");
}

#[test]
fn a_file_others_can_read_is_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [0o644, 0o640, 0o604, 0o620, 0o601] {
        let path = file(&folder, b"hunter2", mode);
        let error = SecretReference::File(path.clone()).resolve().unwrap_err();
        assert!(matches!(error, SecretError::Readable { .. }), "{error:?}");
        let shown = error.to_string();
        assert!(shown.contains(&format!("`chmod 600 {}`", path.display())), "{shown}");
        assert!(shown.contains(&format!("mode {mode:04o}")) && !shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn what_is_no_file_or_no_text_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = SecretReference::File(folder.path().to_owned()).resolve().unwrap_err();
    assert!(matches!(error, SecretError::NotAFile { .. }), "{error:?}");
    let error = SecretReference::File(folder.path().join("absent")).resolve().unwrap_err();
    assert!(matches!(error, SecretError::Read { .. }), "{error:?}");
    let path = file(&folder, b"\xff\xfe", 0o600);
    assert!(SecretReference::File(path).resolve().unwrap_err().to_string().contains("not UTF-8"));
    let path = file(&folder, &vec![b'x'; 70_000], 0o600);
    assert!(SecretReference::File(path).resolve().unwrap_err().to_string().contains("larger than 64 KiB"));
}

#[test]
fn a_program_gives_what_it_prints_and_sees_its_arguments_as_they_are() {
    let secret = command(&["printf", "%s\\n", "$HOME `id` a b"]).resolve().unwrap();
    assert_eq!(secret.expose(), "$HOME `id` a b");
}

#[test]
fn a_program_that_fails_gives_no_secret() {
    let error = command(&["sh", "-c", "echo hunter2; exit 3"]).resolve().unwrap_err();
    assert_eq!(error.to_string(), "`sh` was to print a secret and failed: exit status: 3");
    let error = command(&["/nowhere/program"]).resolve().unwrap_err();
    assert!(matches!(error, SecretError::Run { .. }), "{error:?}");
    assert!(command(&["true"]).resolve().unwrap_err().to_string().contains("is empty"));
    assert!(command(&[]).resolve().is_err());
}

#[test]
fn a_program_that_prints_without_end_is_cut_off() {
    let error = command(&["yes", "hunter2"]).resolve().unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn debug_shows_nothing_of_a_secret() {
    assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
}
