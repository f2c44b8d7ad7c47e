//! What `sudo` and `sudo-rs` say when they refuse, in the C locale.
//!
//! Taken from sudo 1.9.13 and 1.9.16 and sudo-rs 0.2.5, by provoking each; see the tests.

/// Why `sudo` does not make a login root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SudoFault {
    /// It is not installed.
    Absent,
    /// It asks for a password, and there is none.
    NoPassword,
    /// It asked again.
    WrongPassword,
    /// The login may not use it, or not for everything. In sudo's own words.
    NotAllowed(String),
    /// `requiretty` is set.
    WantsTerminal,
    /// The login's account is locked or expired. In sudo's own words.
    Account(String),
    /// The login's password has expired.
    PasswordExpired,
    /// It keeps what passes through it, secrets included. The settings that say so.
    Records(String),
    /// In sudo's own words.
    Other(String),
}

impl SudoFault {
    /// What is wrong once the password was given, while sudo still waits for something. `said` is all of standard
    /// error so far.
    pub(super) fn after_answer(said: &str, prompt: &str) -> Option<Self> {
        let (_, after) = said.split_once(prompt)?;
        // sudo-rs asks for the old password in the same way.
        if is_expired_password(after) {
            return Some(Self::PasswordExpired);
        }
        after.contains(prompt).then_some(Self::WrongPassword)
    }

    /// What is wrong, from all that was written to standard error, the prompt left out. `None`: it was not sudo.
    pub(super) fn of(said: &str) -> Option<Self> {
        // The line that says it: a lecture, or a name that does not resolve, may stand beside it.
        let line = |texts: &[&str]| {
            let found = said.lines().find(|line| texts.iter().any(|text| line.contains(text)));
            found.map(|line| line.trim().to_owned())
        };
        let not_allowed =
            ["not in the sudoers file", "is not allowed to", "may not run sudo", "afraid I can't do that"];
        let account =
            ["ccount validation failure", "ccount expired", "account has expired", "ccount is locked"];
        if line(&["must have a tty"]).is_some() {
            Some(Self::WantsTerminal)
        } else if let Some(said) = line(&not_allowed) {
            Some(Self::NotAllowed(said))
        } else if is_expired_password(said) {
            Some(Self::PasswordExpired)
        } else if let Some(said) = line(&account) {
            Some(Self::Account(said))
        } else if line(&["incorrect password attempt", "incorrect authentication attempt"]).is_some() {
            Some(Self::WrongPassword)
        } else if line(&["a password is required", "interactive authentication is required"]).is_some() {
            Some(Self::NoPassword)
        } else {
            let mut lines =
                said.lines().map(str::trim).filter(|line| !line.contains("unable to resolve host"));
            lines.rfind(|line| line.starts_with("sudo")).map(|said| Self::Other(said.to_owned()))
        }
    }

    /// What happened, to `login`.
    pub(super) fn text(&self, login: &str) -> String {
        match self {
            Self::Absent => format!("`{login}` is not root, and `sudo` is not installed there"),
            Self::NoPassword => format!("`sudo` of `{login}` needs a password"),
            Self::WrongPassword => {
                format!(
                    "`sudo` does not take the password of `{login}`; it was given once and is not tried again"
                )
            }
            Self::NotAllowed(said) => format!("`{login}` may not become root with `sudo`: {said}"),
            Self::WantsTerminal => format!("`sudo` of `{login}` wants a terminal (`requiretty`)"),
            Self::Account(said) => format!("the account of `{login}` is locked or has expired: {said}"),
            Self::PasswordExpired => format!("the password of `{login}` has expired"),
            Self::Records(settings) => {
                format!("`sudo` of `{login}` records what passes through it (`{settings}`), secrets included")
            }
            Self::Other(said) => format!("`sudo` of `{login}` refuses: {said}"),
        }
    }

    /// What the user can do.
    pub(super) fn help(&self, login: &str) -> String {
        let user = login.split('@').next().unwrap_or(login);
        match self {
            Self::Absent => "log in as root (`ssh.user: root`), or install sudo there".to_owned(),
            Self::NoPassword => format!(
                "say where it is with `ssh: {{ sudo: {{ password: {{ env: NAME }} }} }}`, or run this at a terminal to be \
                 asked; or let the login use sudo without one: `echo '{user} ALL=(ALL) NOPASSWD: ALL' \
                 >/etc/sudoers.d/{user}` as root on the host"
            ),
            Self::WrongPassword => format!(
                "correct what `ssh.sudo.password` leads to, and see that `sudo -k -v` there takes it; `passwd -S {user}` \
                 tells whether the password is locked"
            ),
            Self::NotAllowed(_) => format!(
                "allow it any command: `echo '{user} ALL=(ALL) ALL' >/etc/sudoers.d/{user}` as root on the host (or \
                 `adduser {user} sudo`); or log in as root"
            ),
            Self::WantsTerminal => format!(
                "no terminal is used, because it would garble what is sent: `echo 'Defaults:{user} !requiretty' \
                 >/etc/sudoers.d/{user}-tty` as root on the host"
            ),
            Self::Account(_) => format!(
                "see `chage -l {user}` and `passwd -S {user}` as root on the host; `chage -E -1 {user}` lets it in again"
            ),
            Self::PasswordExpired => {
                format!(
                    "log in with `ssh {login}` and set a new one, or run `passwd {user}` as root on the host"
                )
            }
            Self::Records(_) => format!(
                "exempt the login: `echo 'Defaults:{user} !log_input, !log_output' >/etc/sudoers.d/{user}-records` as root on \
                 the host; or log in as root"
            ),
            Self::Other(_) => {
                "see `sudo -l` there: the login must be allowed to run any command as root".to_owned()
            }
        }
    }
}

fn is_expired_password(said: &str) -> bool {
    let texts = [
        "password is expired",
        "password has expired",
        "Current password:",
        "required to change your password",
        "Password change required",
    ];
    texts.iter().any(|text| said.contains(text))
}

#[cfg(test)]
mod tests {
    use super::SudoFault;

    const PROMPT: &str = "garboard-0123456789abcdef";

    /// What was seen, and what it means: the first half while sudo still waits, the second once it has ended.
    #[test]
    fn a_second_prompt_of_either_sudo_is_noticed_before_it_is_answered() {
        let sudo = format!("sudo: unable to resolve host vm: Name or service not known\n{PROMPT}");
        let sudo_rs = format!("[sudo: {PROMPT}] Password: ");
        for once in [&sudo, &sudo_rs] {
            assert_eq!(SudoFault::after_answer(once, PROMPT), None);
        }
        let again = [
            format!("{sudo}Sorry, try again.\n{PROMPT}"),
            format!("{sudo_rs}\nsudo: Authentication failed, try again.\n{sudo_rs}"),
        ];
        for twice in &again {
            assert_eq!(SudoFault::after_answer(twice, PROMPT), Some(SudoFault::WrongPassword));
        }
    }

    #[test]
    fn an_expired_password_is_no_wrong_one() {
        let sudo = format!(
            "{PROMPT}sudo: Account or password is expired, reset your password and try again\nChanging password for \
             pi.\n[sudo] password for %p: "
        );
        let sudo_rs = format!("[sudo: {PROMPT}] Password: \n[sudo: {PROMPT}] Current password: ");
        for said in [&sudo, &sudo_rs] {
            assert_eq!(SudoFault::after_answer(said, PROMPT), Some(SudoFault::PasswordExpired));
        }
    }

    #[test]
    fn each_refusal_of_either_sudo_is_told_apart() {
        let kind = |said: &str| {
            SudoFault::of(said).map(|fault| format!("{fault:?}").split('(').next().unwrap().to_owned())
        };
        let table = [
            ("sudo: a password is required", "NoPassword"),
            ("sudo-rs: interactive authentication is required", "NoPassword"),
            ("pi is not in the sudoers file.", "NotAllowed"),
            ("Sorry, user pi is not allowed to execute '/usr/bin/sh -c x' as root on vm.", "NotAllowed"),
            ("Sorry, user pi may not run sudo on vm.", "NotAllowed"),
            ("sudo-rs: I'm sorry pi. I'm afraid I can't do that", "NotAllowed"),
            ("sudo: sorry, you must have a tty to run sudo", "WantsTerminal"),
            (
                "sudo: account validation failure, is your account locked?\nsudo: a password is required",
                "Account",
            ),
            ("sudo-rs: Account validation failure, is your account locked?", "Account"),
            ("sudo: no password was provided\nsudo: 1 incorrect password attempt", "WrongPassword"),
            ("sudo-rs: Maximum 3 incorrect authentication attempts", "WrongPassword"),
            ("Password change required but no TTY available.", "PasswordExpired"),
            ("sudo: unable to stat /etc/sudoers: Permission denied", "Other"),
        ];
        for (said, expected) in table {
            let noisy = format!("sudo: unable to resolve host vm: Name or service not known\n{said}\n");
            assert_eq!(kind(&noisy).as_deref(), Some(expected), "{said}");
        }
        assert_eq!(SudoFault::of("This account is currently not available."), None);
        assert_eq!(SudoFault::of("sudo: unable to resolve host vm: Name or service not known"), None);
    }
}
