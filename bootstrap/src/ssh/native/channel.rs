//! An SSH channel as a [`Stream`].

use bytes::Bytes;
use futures::StreamExt as _;
use russh::client::Msg;
use russh::{Channel, ChannelMsg};
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;

use super::super::stream::{Backend, ExitStatus, Stream};
use super::connect::Gone;

/// Packets of output that wait for the reader; above that the reader's pace holds the host back.
const WAITING_PACKETS: usize = 64;

/// Starts `command` on a fresh channel.
pub(super) async fn exec(channel: Channel<Msg>, command: &str, gone: Gone) -> Result<Stream, russh::Error> {
    channel.exec(true, command).await?;
    let input = Box::pin(channel.make_writer());
    let (sender, receiver) = mpsc::channel::<Bytes>(WAITING_PACKETS);
    let packets = futures::stream::unfold(receiver, |mut receiver| async move {
        let packet = receiver.recv().await?;
        Some((Ok::<_, std::io::Error>(packet), receiver))
    });
    let (stream, backend) = Stream::new(StreamReader::new(packets.boxed()), input);
    tokio::spawn(forward(channel, sender, backend, gone));
    Ok(stream)
}

/// Hands on what the channel brings, until it closes or the stream is dropped.
async fn forward(mut channel: Channel<Msg>, output: mpsc::Sender<Bytes>, backend: Backend, gone: Gone) {
    let mut output = Some(output);
    loop {
        let message = tokio::select! {
            message = channel.wait() => message,
            () = backend.cut() => {
                // Nobody reads any more; the host's side learns it by the close.
                let _ = channel.close().await;
                break;
            }
        };
        match message {
            Some(ChannelMsg::Data { data }) => {
                let Some(sender) = &output else { continue };
                let taken = tokio::select! {
                    taken = sender.send(data) => taken.is_ok(),
                    () = backend.cut() => false,
                };
                if !taken {
                    output = None;
                }
            }
            Some(ChannelMsg::ExtendedData { data, .. }) => backend.stderr(&data),
            Some(ChannelMsg::ExitStatus { exit_status }) => backend.ended(ExitStatus::Code(exit_status)),
            Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                backend.ended(ExitStatus::Signal(format!("{signal_name:?}")));
            }
            Some(ChannelMsg::Eof) => output = None,
            Some(ChannelMsg::Failure) => {
                backend.ended(ExitStatus::Lost(Some("sshd refused to start a command".to_owned())));
                break;
            }
            Some(ChannelMsg::Close) | None => break,
            Some(_) => {}
        }
    }
    backend.ended(ExitStatus::Lost(gone.why()));
}
