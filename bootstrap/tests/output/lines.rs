//! Lines for a person, on a terminal and elsewhere.

use std::io::Write;
use std::sync::{Arc, Mutex};

use garboard::output::human::Human;
use garboard::output::paint::Paint;
use garboard::output::{Event, Events, Listener as _};
use indicatif::{InMemoryTerm, ProgressDrawTarget};

use crate::{example, golden};

/// What was written, to be read while the writer is elsewhere.
#[derive(Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(crate) fn plain(verbose: bool, paint: Paint, events: impl IntoIterator<Item = Event>) -> String {
    let written = Written::default();
    let human = Human::plain(verbose, paint, written.clone());
    events.into_iter().for_each(|event| human.event(&event));
    written.text()
}

fn run() -> impl Iterator<Item = Event> {
    example::run().events.into_iter().map(|timed| timed.event)
}

#[test]
fn without_a_terminal_there_is_a_line_for_every_event_that_matters() {
    golden::compare("bootstrap/tests/output/golden/plain.txt", &plain(false, Paint::default(), run()));
    golden::compare("bootstrap/tests/output/golden/plain_verbose.txt", &plain(true, Paint::default(), run()));
}

#[test]
fn plain_lines_are_ascii_and_without_escape_sequences_where_nothing_else_was_asked_for() {
    let text = plain(true, Paint::default(), run().chain(example::events()));
    assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{text:?}");
    assert!(plain(false, Paint { colour: true, utf8: true }, run()).contains('\u{1b}'));
}

/// A terminal of this size after these events.
fn on_terminal(width: u16, events: impl IntoIterator<Item = Event>) -> String {
    let terminal = InMemoryTerm::new(30, width);
    let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
    let human = Human::on_terminal(false, Paint::default(), target);
    events.into_iter().for_each(|event| human.event(&event));
    // Dropping it would take its lines away.
    terminal.contents()
}

#[test]
fn on_a_terminal_each_host_has_one_line_that_says_what_it_does_and_what_it_waits_for() {
    let until_waiting = run()
        .take_while(|event| !matches!(event, Event::StepStarted { step, .. } if step == "control-plane/3"));
    let screen = on_terminal(70, until_waiting);
    let lines: Vec<&str> = screen.lines().collect();
    let of = |host: &str| -> Vec<&&str> {
        lines.iter().filter(|line| line.split_whitespace().nth(1) == Some(host)).collect()
    };
    assert_eq!((of("cp1").len(), of("w1").len(), of("w2").len()), (1, 0, 1), "{screen}");
    assert!(of("w2")[0].ends_with("0s [3/4] waits for `api`"), "{screen}");
    assert!(of("cp1")[0].contains(" [1/2]"), "{screen}");
    let stays =
        lines.iter().position(|line| line.starts_with("w2 ") && line.contains("containerd/4")).unwrap();
    let moves = lines.iter().position(|line| line.split_whitespace().nth(1) == Some("w2")).unwrap();
    assert!(stays < moves, "what stays is above what moves:\n{screen}");
}

#[test]
fn a_moving_line_is_cut_to_the_width_of_the_terminal() {
    let long = "write `/etc/a/very/long/path/that/no/narrow/terminal/shows/in/one/line`".to_owned();
    let events = [
        Event::RunStarted {
            run: "r".to_owned(),
            command: "up".to_owned(),
            cluster: "c".to_owned(),
            hosts: vec!["w1".to_owned()],
        },
        Event::StepStarted { host: "w1".to_owned(), step: "one/1".to_owned(), doing: long },
    ];
    let screen = on_terminal(40, events);
    assert_eq!(screen.lines().count(), 1, "{screen}");
    assert!(
        screen.contains("w1") && screen.contains("write `/etc/a") && !screen.contains("in/one/line"),
        "{screen}"
    );
}

/// Events up to a moment at which hosts are at work.
fn amid() -> impl Iterator<Item = Event> {
    run().take(12)
}

/// Lines that move have a picture in front of the host.
fn moving(screen: &str) -> usize {
    screen.lines().filter(|line| line.starts_with(['-', '\\', '|', '/'])).count()
}

#[test]
fn nothing_that_moves_is_left_when_the_run_has_ended() {
    assert!(moving(&on_terminal(70, amid())) >= 2);
    let screen = on_terminal(70, amid().chain(run().last()));
    assert_eq!(moving(&screen), 0, "{screen}");
    assert_eq!(screen.lines().last(), Some("report: /home/ada/reports/now.html"), "{screen}");
}

#[test]
fn nothing_moves_while_a_document_goes_to_standard_output() {
    let terminal = InMemoryTerm::new(30, 70);
    let human = Human::on_terminal(
        false,
        Paint::default(),
        ProgressDrawTarget::term_like(Box::new(terminal.clone())),
    );
    amid().for_each(|event| human.event(&event));
    assert!(moving(&terminal.contents()) >= 2);
    human.rest();
    assert_eq!(moving(&terminal.contents()), 0, "{}", terminal.contents());
}

#[test]
fn nothing_is_shown_while_a_person_is_asked_and_nothing_is_lost() {
    let terminal = InMemoryTerm::new(60, 70);
    let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
    let human = Arc::new(Human::on_terminal(false, Paint::default(), target));
    let events = Events::new(vec![Box::new(Arc::clone(&human))]);
    amid().for_each(|event| events.send(&event));
    let before = terminal.contents();
    assert!(moving(&before) >= 2, "{before}");
    let held = events.hold();
    let asked = terminal.contents();
    assert_eq!(moving(&asked), 0, "{asked}");
    run().skip(12).for_each(|event| events.send(&event));
    assert_eq!(terminal.contents(), asked);
    // But somebody who wants to stop sees that they are heard.
    events.note("stopping");
    assert_eq!(terminal.contents().lines().last(), Some("stopping"));
    drop(held);
    let after = terminal.contents();
    assert_eq!(after.lines().last(), Some("report: /home/ada/reports/now.html"), "{after}");
    assert!(after.lines().count() > asked.lines().count() + 3, "{after}");
}
