//! On a terminal: questions, answers that are no good, and leaving in the middle.

use crate::desk::Desk;

const LOAD: &str = "the inventory of the person's answers";

fn hosts(text: &str) -> Vec<(String, String, String)> {
    let inventory = garboard_inventory::parse(LOAD, text).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
    let of =
        |host: &garboard_inventory::Host| (host.name.clone(), host.address.clone(), host.role.to_string());
    inventory.hosts.iter().map(of).collect()
}

fn host(name: &str, address: &str, role: &str) -> (String, String, String) {
    (name.to_owned(), address.to_owned(), role.to_owned())
}

#[test]
fn a_person_is_asked_and_what_is_no_good_is_asked_again() {
    let desk = Desk::new();
    let mut person = desk.on_terminal("");
    person.sees("Name of the cluster [homelab]: ").types("Home");
    person.sees("upper case letters are not allowed").sees("write `home`");
    person.sees("Name of the cluster [homelab]: ").types("home");
    person.sees("Host 1: ").types("");
    person.sees("a cluster needs a host").sees("Host 1: ").types("cp1=192.168.1.300");
    person.sees("neither an IPv4 address nor a host name").sees("Host 1: ").types("192.168.1.11");
    person.sees("Host 2: ").types("on=192.168.1.11");
    person.sees("have the same address").sees("Host 2: ").types("on = 192.168.1.12");
    person.sees("Host 3: ").types("on=192.168.1.13");
    person.sees("`hosts.on`").sees("Host 3: ").types("");
    person.sees("Which host is the control plane [192.168.1.11]: ").types("w9");
    person.sees("there is no host `w9`").sees("the hosts are 192.168.1.11, on");
    person.sees("Which host is the control plane [192.168.1.11]: ").types("on");
    person.sees("Which host faces the internet").types("on").sees("control plane");
    person.sees("Which host faces the internet").types("w9").sees("there is no host `w9`");
    person.sees("Which host faces the internet").types("192.168.1.11");
    person.sees("User to log in as").types("-x");
    person.sees("is no login").sees("User to log in as").types("pi");
    person.sees("Private key").types("~/.ssh/id_ed25519.pub");
    person.sees("public half").sees("Private key").types("~/.ssh/id_ed25519");
    person.sees("Where sudo's password is found").types("hunter2");
    person.sees("this says not where the password is found");
    person.sees("Where sudo's password is found").types("env $SUDO");
    person.sees("without `$`").sees("Where sudo's password is found").types("env SUDO_PASSWORD");
    person.sees("Look at the hosts now? [yes]: ").types("maybe");
    person.sees("say `yes` or `no`").sees("Look at the hosts now? [yes]: ").types("no");
    person.sees("Name of 192.168.1.11 in the cluster [node1]: ").types("on");
    person.sees("Name of 192.168.1.11 in the cluster [node1]: ").types("");
    person.sees("`garboard.yaml` describes cluster `home`: 2 hosts, on is the control plane");
    person.sees("next: `garboard check`");
    let (code, shown) = person.ends();
    assert_eq!(code, 0, "{shown}");
    let text = desk.written().unwrap();
    assert_eq!(
        hosts(&text),
        [host("node1", "192.168.1.11", "worker"), host("on", "192.168.1.12", "control_plane")]
    );
    for line in ["user: pi", "identity: ~/.ssh/id_ed25519", "sudo: { password: { env: SUDO_PASSWORD } }"] {
        assert!(text.contains(&format!("\n  {line}\n")), "`{line}` is not in {text}");
    }
    assert!(text.contains("\n    edge: true\n") && text.contains("\nedge:\n  firewall:\n"), "{text}");
    assert!(!text.contains("hunter2"));
    assert_eq!(desk.names(), ["garboard.yaml"]);
}

#[test]
fn enter_takes_the_default_of_every_question() {
    let desk = Desk::new();
    let mut person = desk.on_terminal("--no-look");
    person.sees("Name of the cluster").types("").sees("Host 1").types("cp1=192.168.1.11");
    person.sees("Host 2").types("w1=192.168.1.12").sees("Host 3").types("");
    person.sees("Which host is the control plane [cp1]").types("");
    person.sees("Which host faces the internet").types("");
    person.sees("User").types("").sees("Private key").types("").sees("sudo").types("");
    let (code, shown) = person.ends();
    assert_eq!(code, 0, "{shown}");
    let expected =
        fs_err::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/init/answers.yaml")).unwrap();
    assert_eq!(desk.written().unwrap(), expected);
}

#[test]
fn nothing_is_asked_that_flags_have_answered() {
    let desk = Desk::new();
    let flags = "--name home --host cp1=192.168.1.11 --user pi --identity key --no-sudo-password --no-look";
    let (code, shown) = desk.on_terminal(flags).ends();
    assert_eq!(code, 0, "{shown}");
    assert!(!shown.contains(']') && !shown.contains('?'), "{shown}");
    assert!(desk.written().unwrap().contains("\n  user: pi\n"));
}

#[test]
fn whoever_leaves_in_the_middle_leaves_nothing() {
    let dialogue = [
        ("Name of the cluster [homelab]: ", "home"),
        ("Host 1: ", "cp1=192.168.1.11"),
        ("Host 2: ", ""),
        ("root): ", "pi"),
        ("~/.ssh): ", ""),
        ("you are asked): ", ""),
        ("Look at the hosts now? [yes]: ", ""),
    ];
    for keys in ["\u{3}", "\u{4}"] {
        for last in 0..dialogue.len() {
            let desk = Desk::new();
            let mut person = desk.on_terminal("");
            for (question, answer) in &dialogue[..last] {
                person.sees(question).types(answer);
            }
            person.sees(dialogue[last].0).presses(keys).sees("broken off: nothing was written");
            let (code, shown) = person.ends();
            assert_eq!((code, desk.names()), (1, vec![]), "{shown}");
        }
    }
}

#[test]
fn a_key_pressed_between_two_questions_counts() {
    let desk = Desk::new();
    let mut person = desk.on_terminal("");
    // Typed ahead: the terminal sends the signal at once, whichever question is being asked by then.
    person.sees("Name of the cluster").presses("home\n\u{3}").sees("broken off: nothing was written");
    let (code, shown) = person.ends();
    assert_eq!((code, desk.names()), (1, vec![]), "{shown}");
}
