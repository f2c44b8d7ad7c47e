//! The page: one file that a browser shows without a script, a network or another file. A pure function of the document.

use garboard_protocol::{Change, Field};

use super::Document;
use super::html::Html;
use super::view::{Host, State, Step, View};
use crate::output::difference::{Sign, lines};
use crate::output::text::{bytes, duration};
use crate::problem::{Exit, Problem};

const STYLE: &str = include_str!("page.css");
/// Nothing may be loaded, whatever the text says; the one style sheet is in the page.
const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
    <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
    <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n";

/// Renders it.
pub fn page(document: &Document) -> String {
    let view = View::of(document);
    let mut page = Html::markup(HEAD);
    page.line(Html::words("title", "", &format!("garboard {}: {}", view.command, view.cluster)));
    page.line(Html::element("style", "", Html::markup(STYLE)));
    page.line("</head>\n<body>");
    page.line(header(document, &view));
    page.line("<main>");
    page.push(failures(&view));
    page.push(hosts(&view));
    page.push(chart(&view));
    page.push(steps(&view));
    page.push(changes(&view));
    page.push(notes(&view));
    page.line("</main>");
    let words = format!("Garboard {}, run {}", document.version, view.run);
    page.line(Html::words("footer", "", &words));
    page.line("</body>\n</html>");
    page.to_string()
}

fn header(document: &Document, view: &View<'_>) -> Html {
    let mut title = Html::text(&format!("garboard {} {} ", view.command, view.cluster));
    let (class, word) = match view.exit {
        Some(Exit::Done) => ("badge good", "done"),
        Some(Exit::Pending) => ("badge wait", "something is left to do"),
        Some(Exit::Refused) => ("badge bad", "refused, nothing changed"),
        Some(Exit::NeedsPerson) => ("badge bad", "needs a person"),
        Some(Exit::Usage) => ("badge bad", "not valid"),
        Some(Exit::Failed) => ("badge bad", "failed"),
        None => ("badge wait", "without an end"),
    };
    title.push(Html::words("span", class, word));
    let mut header = Html::element("h1", "", title);
    let started = document.started.strftime("%Y-%m-%d %H:%M:%S UTC");
    let names = view.hosts.iter().filter(|host| host.name != CLUSTER).count();
    let words = format!(
        "{started}, {}: {} on {}",
        duration(view.milliseconds),
        count(view.changes, "change"),
        count(names as u64, "host"),
    );
    header.push(Html::words("p", "faint", &words));
    Html::element("header", "", header)
}

/// What the cluster's own steps are listed under.
const CLUSTER: &str = "cluster";

fn failures(view: &View<'_>) -> Html {
    if view.failures.is_empty() {
        return Html::default();
    }
    section("What failed", view.failures.iter().map(|problem| failure(problem)).collect())
}

fn failure(problem: &Problem) -> Html {
    let place = match (&problem.host, &problem.step) {
        (Some(host), Some(step)) => format!("{host}, step {step}"),
        (Some(place), None) | (None, Some(place)) => place.clone(),
        (None, None) => "the run".to_owned(),
    };
    let mut card = Html::words("h3", "bad", &place);
    card.push(Html::words("p", "", &problem.message));
    for cause in &problem.causes {
        if cause.trim().contains('\n') {
            card.push(Html::element("p", "", "<b>Cause</b>"));
            card.push(Html::words("pre", "", cause.trim_end()));
        } else {
            card.push(labelled("<b>Cause</b> ", cause));
        }
    }
    if let Some(help) = &problem.help {
        card.push(labelled("<b class=\"good\">Fix</b> ", help));
    }
    let mut line = Html::element("div", "card failure", card);
    line.push("\n");
    line
}

fn labelled(label: &'static str, words: &str) -> Html {
    Html::element("p", "", [Html::markup(label), Html::text(words)].into_iter().collect::<Html>())
}

fn hosts(view: &View<'_>) -> Html {
    let mut rows = Html::default();
    for host in &view.hosts {
        let (class, word) = standing(host);
        let mut row = Html::words("th", "", host.name);
        row.push(Html::element("td", "", Html::words("span", class, word)));
        let found_done = host.planned.map(|(steps, pending)| steps.saturating_sub(pending));
        let cells = [
            host.changed().to_string(),
            found_done.map(|steps| steps.to_string()).unwrap_or_default(),
            host.planned.map(|(steps, _)| steps.to_string()).unwrap_or_default(),
            host.connected.map(duration).unwrap_or_default()
                + if host.agent_sent { " (agent sent)" } else { "" },
            if host.bytes_sent == 0 { String::new() } else { bytes(host.bytes_sent) },
        ];
        row.push(cells.iter().map(|cell| Html::words("td", "number", cell)).collect::<Html>());
        rows.line(Html::element("tr", "", row));
    }
    let head = "<thead><tr><th>Host</th><th>Result</th><th class=\"number\">Changed</th>\
        <th class=\"number\">Found done</th><th class=\"number\">All steps</th>\
        <th class=\"number\">Connected after</th>\
        <th class=\"number\">Sent</th></tr></thead>\n";
    section("Hosts", table("wide", head.into(), rows))
}

fn standing(host: &Host<'_>) -> (&'static str, &'static str) {
    if host.is_failed {
        ("badge bad", "failed")
    } else if host.changed() > 0 {
        ("badge good", "changed")
    } else if host.is_finished || host.connected.is_some() {
        ("badge same", "unchanged")
    } else {
        ("badge wait", "not reached")
    }
}

/// Who was at work when: a track a host, a bar a step.
#[allow(clippy::cast_precision_loss, reason = "shown with two digits after the point")]
fn chart(view: &View<'_>) -> Html {
    let end = view.hosts.iter().flat_map(|host| &host.steps).filter_map(|step| step.ended).max();
    let end = end.unwrap_or(0).max(view.milliseconds);
    if end == 0 || view.hosts.iter().all(|host| host.steps.is_empty()) {
        return Html::default();
    }
    let percent = |milliseconds: u64| milliseconds as f64 * 100.0 / end as f64;
    let mut chart = Html::default();
    for host in view.hosts.iter().filter(|host| !host.steps.is_empty()) {
        let bars = host.steps.iter().flat_map(|step| {
            let ended = step.ended.unwrap_or(end);
            let waited = step.waited.map(|since| {
                let until = if step.state == State::Waiting { ended } else { step.began };
                let words = format!("{} waited for {}", step.id, step.waited_for.join(", "));
                Html::bar("wait", percent(since), percent(until.saturating_sub(since)), &words)
            });
            let took = ended.saturating_sub(step.began);
            let words = format!("{} {}: {}", step.id, step.doing, duration(took));
            let worked = (step.state != State::Waiting)
                .then(|| Html::bar(colour(step.state), percent(step.began), percent(took), &words));
            waited.into_iter().chain(worked)
        });
        chart.push(Html::words("span", "", host.name));
        chart.line(Html::element("div", "track", bars.collect::<Html>()));
    }
    let mut scale = Html::words("span", "", "0");
    scale.push(Html::words("span", "", &duration(end / 2)));
    scale.push(Html::words("span", "", &duration(end)));
    chart.push("<span></span>");
    chart.line(Html::element("div", "scale", scale));
    let mut content = Html::element("div", "chart", chart);
    content.line(
        "\n<p class=\"legend\"><i class=\"good\"></i>changed something<i class=\"same\"></i>changed nothing\
         <i class=\"wait\"></i>waited<i class=\"bad\"></i>failed</p>",
    );
    section("When", content)
}

fn colour(state: State) -> &'static str {
    match state {
        State::Changed => "good",
        State::Unchanged => "same",
        State::Failed => "bad",
        State::Waiting | State::Working => "wait",
    }
}

/// Steps as rows, hosts as columns.
fn steps(view: &View<'_>) -> Html {
    let at_work: Vec<&Host<'_>> = view.hosts.iter().filter(|host| !host.steps.is_empty()).collect();
    if at_work.is_empty() {
        return section("Steps", "<p class=\"faint\">No step had to be taken.</p>\n".into());
    }
    let mut head = Html::markup("<th>Step</th>");
    head.push(at_work.iter().map(|host| Html::words("th", "number", host.name)).collect::<Html>());
    let mut rows = Html::default();
    for (id, doing) in view.rows() {
        let mut name = Html::text(id);
        name.push(Html::words("small", "", doing));
        let mut row = Html::element("th", "", name);
        for host in &at_work {
            row.push(cell(host.steps.iter().find(|step| step.id == id)));
        }
        rows.line(Html::element("tr", "", row));
    }
    let mut thead = Html::element("thead", "", Html::element("tr", "", head));
    thead.push("\n");
    section("Steps", table("wide steps", thead, rows))
}

fn cell(step: Option<&Step<'_>>) -> Html {
    let Some(step) = step else { return "<td></td>".into() };
    let took = step.ended.map(|ended| duration(ended.saturating_sub(step.began))).unwrap_or_default();
    let words = match step.state {
        State::Changed => took,
        State::Unchanged => format!("= {took}"),
        State::Failed => format!("failed {took}"),
        State::Working => "no end".to_owned(),
        State::Waiting => format!("waited for {}", step.waited_for.join(", ")),
    };
    let class = colour(step.state);
    Html::element("td", "number", Html::words("span", class, words.trim_end()))
}

fn changes(view: &View<'_>) -> Html {
    let mut content = Html::default();
    for host in view.hosts.iter().filter(|host| host.changed() > 0) {
        let steps = host.steps.iter().filter(|step| !step.changes.is_empty());
        let mut details =
            Html::words("summary", "", &format!("{} ({})", host.name, count(host.changed() as u64, "step")));
        for step in steps {
            let mut block = Html::words("h3", "", step.id);
            block.push(Html::words("p", "faint", step.doing));
            block.push(step.changes.iter().map(change).collect::<Html>());
            details.line(Html::element("div", "", block));
        }
        content.line(Html::element("details", "", details));
    }
    if content == Html::default() { content } else { section("Changes", content) }
}

fn change(change: &Change) -> Html {
    let field = serde_json::to_value(change.field).ok();
    let field = field.as_ref().and_then(|field| field.as_str()).unwrap_or_default();
    let (before, after) = (change.before.as_deref(), change.after.as_deref());
    let is_text = [before, after].into_iter().flatten().any(|value| value.contains('\n'));
    let mut line = Html::words("code", "", &change.subject);
    line.push(Html::text(&format!(" {field} ")));
    if change.field == Field::Content && is_text {
        let difference = lines(before.unwrap_or_default(), after.unwrap_or_default());
        line.push(Html::element("pre", "", difference.iter().map(difference_line).collect::<Html>()));
    } else {
        line.push(value(before));
        line.push(" &rarr; ");
        line.push(value(after));
    }
    Html::element("div", "change", line)
}

fn value(value: Option<&str>) -> Html {
    value.map_or("<span class=\"faint\">nothing</span>".into(), |value| Html::words("code", "", value))
}

fn difference_line((sign, text): &(Sign, String)) -> Html {
    match sign {
        Sign::Same => Html::words("span", "", &format!("  {text}")),
        Sign::Removed => Html::words("span", "minus", &format!("- {text}")),
        Sign::Added => Html::words("span", "plus", &format!("+ {text}")),
        Sign::Gap => Html::words("span", "gap", "..."),
    }
}

fn notes(view: &View<'_>) -> Html {
    if view.notes.is_empty() {
        return Html::default();
    }
    let mut list = Html::default();
    for (at, note) in &view.notes {
        let mut item = Html::words("span", "faint", &format!("{} ", duration(*at)));
        item.push(Html::text(note));
        list.line(Html::element("li", "", item));
    }
    section("Notes", Html::element("ul", "notes", list))
}

fn section(title: &'static str, content: Html) -> Html {
    let mut inner = Html::element("h2", "", Html::markup(title));
    inner.push("\n");
    inner.push(content);
    let mut section = Html::element("section", "", inner);
    section.push("\n");
    section
}

fn table(class: &'static str, head: Html, rows: Html) -> Html {
    let mut inner = head;
    inner.push(Html::element("tbody", "", rows));
    Html::element("div", class, Html::element("table", "", inner))
}

fn count(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
