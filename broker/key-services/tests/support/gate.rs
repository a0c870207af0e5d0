//! A TCP forwarder that can be shut: connections through it end, and new ones are dropped.

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Stands in front of a server on this machine.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) port: u16,
    open: watch::Sender<bool>,
}

impl Gate {
    pub(crate) async fn before(upstream: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (open, is_open) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((mut here, _)) = listener.accept().await {
                let mut is_open = is_open.clone();
                tokio::spawn(async move {
                    if !*is_open.borrow_and_update() {
                        return;
                    }
                    let Ok(mut there) = TcpStream::connect(("127.0.0.1", upstream)).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut here, &mut there) => {}
                        _ = is_open.changed() => {}
                    }
                });
            }
        });
        Self { port, open }
    }

    pub(crate) fn set_open(&self, open: bool) {
        self.open.send(open).unwrap();
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
