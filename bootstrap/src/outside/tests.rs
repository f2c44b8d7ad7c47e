//! What observations come to, and what a look asks for, with a network that is made up.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Mutex;

use async_trait::async_trait;

use super::{Answer, Look, OutsideView, Place, Purpose, Question, Resolved, Verdict, look};

const ROUTER: &str = "84.20.10.1";
const OURS: &str = "sha256:ours";

/// A network that says what the test wants.
#[derive(Default)]
struct Fake {
    names: BTreeMap<String, Resolved>,
    from: Option<IpAddr>,
    outside: BTreeMap<(IpAddr, u16), Answer>,
    edge: Option<Answer>,
    asked: Mutex<Vec<IpAddr>>,
}

#[async_trait]
impl Look for Fake {
    async fn resolve(&self, name: &str) -> Resolved {
        self.names.get(name).cloned().unwrap_or(Resolved::Nothing)
    }

    fn source(&self, _to: IpAddr) -> Option<IpAddr> {
        self.from
    }

    async fn ask(&self, to: IpAddr, question: &Question) -> Answer {
        self.asked.lock().unwrap().push(to);
        self.outside.get(&(to, question.port)).cloned().unwrap_or(Answer::Silent)
    }

    async fn ask_edge(&self, _question: &Question) -> Option<Answer> {
        self.edge.clone()
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn spoke(who: &str) -> Answer {
    Answer::Spoke(who.to_owned(), format!("a certificate for {who}"))
}

/// A home where all is well, looked at from inside.
fn well() -> (Fake, Place) {
    let fake = Fake {
        names: [("app1.example.org".to_owned(), Resolved::Addresses(vec![address(ROUTER)]))].into(),
        from: Some(address("192.168.1.50")),
        outside: [((address(ROUTER), 443), spoke(OURS))].into(),
        edge: Some(spoke(OURS)),
        asked: Mutex::default(),
    };
    let place = Place {
        router: Some(address(ROUTER)),
        networks: vec!["192.168.1.0/24".parse().unwrap()],
        edge: "dmz1".to_owned(),
    };
    (fake, place)
}

fn web() -> Question {
    Question { name: "app1.example.org".to_owned(), port: 443, purpose: Purpose::Web { tls: true } }
}

async fn view(fake: &Fake, place: &Place) -> OutsideView {
    look(fake, &[web()], place).await
}

/// What came of the one name: the verdict, what is said, what is to be done.
async fn told(fake: &Fake, place: &Place) -> (Verdict, String, String) {
    let mut view = view(fake, place).await;
    assert_eq!(view.names.len(), 1);
    let name = view.names.remove(0);
    (name.verdict, name.text, name.help.unwrap_or_default())
}

#[tokio::test]
async fn the_edge_hosts_own_certificate_says_that_it_answered() {
    let (fake, place) = well();
    let seen = view(&fake, &place).await;
    assert_eq!(
        seen.human(),
        "seen from 192.168.1.50, inside your own network:\n  app1.example.org (443/tcp): answered by dmz1, by way of 84.20.10.1"
    );
    assert_eq!((seen.inside, seen.router.as_deref()), (true, Some(ROUTER)));
}

#[tokio::test]
async fn silence_is_the_forward_and_from_inside_it_may_be_the_missing_hairpin() {
    let (mut fake, place) = well();
    fake.outside.clear();
    let (verdict, text, help) = told(&fake, &place).await;
    assert_eq!((verdict, text.as_str()), (Verdict::Silent, "84.20.10.1 does not answer"));
    assert!(help.contains("hairpin") && help.contains("phone without WiFi"), "{help}");
    fake.from = Some(address("198.51.100.7"));
    let (verdict, _, help) = told(&fake, &place).await;
    assert_eq!(verdict, Verdict::Silent);
    assert!(help.contains("does not forward") && !help.contains("hairpin"), "{help}");
    fake.outside.insert((address(ROUTER), 443), Answer::Refused);
    assert_eq!(told(&fake, &place).await.1, "84.20.10.1 is closed");
}

#[tokio::test]
async fn a_stranger_at_the_public_address_is_none_of_ours() {
    let (mut fake, place) = well();
    fake.outside.insert((address(ROUTER), 443), spoke("CN=fritz.box"));
    let (verdict, text, help) = told(&fake, &place).await;
    assert_eq!(verdict, Verdict::Another);
    assert!(text.contains("something else than dmz1") && text.contains("fritz.box"), "{text}");
    assert!(help.contains("its own pages"), "{help}");
    fake.outside.insert((address(ROUTER), 443), Answer::Babble("no TLS".to_owned()));
    assert_eq!(told(&fake, &place).await.0, Verdict::Another);
}

#[tokio::test]
async fn where_the_edge_host_cannot_be_asked_nobody_says_who_answered() {
    let (mut fake, place) = well();
    fake.edge = None;
    assert_eq!(told(&fake, &place).await.0, Verdict::Unknown);
    fake.edge = Some(Answer::Silent);
    let (verdict, text, _) = told(&fake, &place).await;
    assert_eq!((verdict, text.as_str()), (Verdict::EdgeSilent, "dmz1 itself does not answer there"));
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_is_told_with_both_addresses() {
    let (mut fake, place) = well();
    fake.names.insert("app1.example.org".to_owned(), Resolved::Addresses(vec![address("84.20.10.99")]));
    let (verdict, text, _) = told(&fake, &place).await;
    assert_eq!(verdict, Verdict::Elsewhere);
    assert!(text.contains("84.20.10.99") && text.contains(ROUTER), "{text}");
    // A server elsewhere that passes connections on is as good.
    fake.outside.insert((address("84.20.10.99"), 443), spoke(OURS));
    assert_eq!(told(&fake, &place).await.0, Verdict::Answered);
}

#[tokio::test]
async fn a_name_without_an_address_and_servers_without_an_answer_are_two_things() {
    let (mut fake, place) = well();
    fake.names.clear();
    assert_eq!(told(&fake, &place).await.0, Verdict::NoName);
    assert!(view(&fake, &place).await.inside, "from where it was asked is known without a name");
    fake.names.insert("app1.example.org".to_owned(), Resolved::Silent("timed out".to_owned()));
    let (verdict, text, _) = told(&fake, &place).await;
    assert_eq!(verdict, Verdict::NoDns);
    assert!(text.contains("timed out"), "{text}");
    assert!(fake.asked.lock().unwrap().is_empty(), "somebody was asked for a name that is not there");
}

#[tokio::test]
async fn an_address_at_home_is_never_asked_but_the_routers_is() {
    let (mut fake, mut place) = well();
    fake.names.insert("app1.example.org".to_owned(), Resolved::Addresses(vec![address("192.168.0.10")]));
    let (verdict, text, _) = told(&fake, &place).await;
    assert_eq!(verdict, Verdict::Answered, "{text}");
    assert_eq!(*fake.asked.lock().unwrap(), [address(ROUTER)]);
    place.router = None;
    fake.asked.lock().unwrap().clear();
    assert_eq!(told(&fake, &place).await.0, Verdict::AtHome);
    assert!(fake.asked.lock().unwrap().is_empty());
    fake.names.insert("app1.example.org".to_owned(), Resolved::Addresses(vec![address("100.64.0.5")]));
    assert_eq!(told(&fake, &place).await.0, Verdict::BehindNat);
    place.router = Some(address("100.64.0.5"));
    assert_eq!(told(&fake, &place).await.0, Verdict::BehindNat);
    assert!(fake.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_vpn_is_not_asked_and_that_is_said() {
    let (fake, place) = well();
    let vpn = Question { name: "app1.example.org".to_owned(), port: 1194, purpose: Purpose::Vpn };
    let seen = look(&fake, &[vpn], &place).await;
    assert_eq!((seen.names[0].verdict, seen.names[0].protocol.as_str()), (Verdict::NotAsked, "udp"));
    assert!(seen.names[0].text.contains("only a client can tell"), "{}", seen.names[0].text);
    assert!(fake.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn ports_that_came_to_the_same_are_one_line() {
    let (mut fake, place) = well();
    fake.outside.clear();
    let plain = Question { port: 80, purpose: Purpose::Web { tls: false }, ..web() };
    let text = look(&fake, &[web(), plain], &place).await.human();
    assert_eq!(text.matches("app1.example.org").count(), 1, "{text}");
    assert!(
        text.contains("warning: app1.example.org (443/tcp, 80/tcp): 84.20.10.1 does not answer"),
        "{text}"
    );
}
