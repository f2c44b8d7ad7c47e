//! A small HTTP server on loopback that notes every request and answers as it is told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// From where it came.
    pub(crate) peer: IpAddr,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Request {
    /// Of one header; names in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.headers.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

/// The status of an answer that never comes.
pub(crate) const NEVER: u16 = 0;

/// What is answered: status, further headers, body.
pub(crate) type Answer = (u16, String, String);

type Handler = Box<dyn FnMut(&Request) -> Answer + Send>;

/// The server; it lives as long as the test's process.
pub(crate) struct FakeHttp {
    address: SocketAddr,
    handler: Arc<Mutex<Handler>>,
    seen: Arc<Mutex<Vec<Request>>>,
    arrivals: Receiver<()>,
}

/// An answer without further headers.
pub(crate) fn answer(status: u16, body: &str) -> Answer {
    (status, String::new(), body.to_owned())
}

impl FakeHttp {
    pub(crate) fn start(handler: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        Self::start_at("127.0.0.1:0", handler)
    }

    pub(crate) fn start_at(at: &str, handler: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind(at).unwrap();
        let address = listener.local_addr().unwrap();
        let handler: Arc<Mutex<Handler>> = Arc::new(Mutex::new(Box::new(handler)));
        let seen = Arc::default();
        let (sender, arrivals) = channel();
        let (own_handler, own_seen) = (Arc::clone(&handler), Arc::clone(&seen));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (handler, seen, sender) =
                    (Arc::clone(&own_handler), Arc::clone(&own_seen), sender.clone());
                std::thread::spawn(move || serve(stream, &handler, &seen, &sender));
            }
        });
        Self { address, handler, seen, arrivals }
    }

    /// One that always says the same.
    pub(crate) fn saying(status: u16, body: &str) -> Self {
        let body = body.to_owned();
        Self::start(move |_| answer(status, &body))
    }

    /// From now on it answers so.
    pub(crate) fn say(&self, status: u16, body: &str) {
        let body = body.to_owned();
        self.handle(move |_| answer(status, &body));
    }

    pub(crate) fn handle(&self, handler: impl FnMut(&Request) -> Answer + Send + 'static) {
        *self.handler.lock().unwrap() = Box::new(handler);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Waits until one more request has arrived.
    pub(crate) fn arrival(&self) {
        self.arrivals.recv_timeout(Duration::from_secs(30)).expect("no request arrived within 30 s");
    }
}

fn serve(
    stream: TcpStream,
    handler: &Mutex<Handler>,
    seen: &Mutex<Vec<Request>>,
    arrivals: &Sender<()>,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = String::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        headers.push_str(&line.replace("\r\n", "\n"));
    }
    let peer = stream.peer_addr().ok()?.ip();
    let mut request = Request { peer, method, target, headers, body: String::new() };
    let length: u64 = request.header("content-length").map_or(0, |value| value.trim().parse().unwrap());
    reader.take(length).read_to_string(&mut request.body).ok()?;
    seen.lock().unwrap().push(request.clone());
    let _ = arrivals.send(());
    let (status, headers, body) = (handler.lock().unwrap())(&request);
    if status == NEVER {
        // Until the test's process ends.
        loop {
            std::thread::park();
        }
    }
    let mut stream = stream;
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
    )
    .ok()
}
