//! The connections of a server: so many at once. Where all are open, one without a request makes room, of
//! the peer that has the most of them, so that silent connections block no client.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::response::Response;
use tokio::sync::Notify;

use crate::sent::until_sent;

/// The connections of a server.
#[derive(Debug)]
pub struct Connections {
    most: usize,
    open: Mutex<Open>,
    /// One has ended, or has no request any more.
    has_room: Notify,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    connections: BTreeMap<u64, OpenConnection>,
}

#[derive(Debug)]
struct OpenConnection {
    peer: IpAddr,
    state: State,
    closed: Arc<Notify>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Without a request; the numbers have the order in which connections had their last one.
    Idle(u64),
    Busy,
    /// It makes room.
    Closing,
}

/// The place of a connection, until it is dropped.
#[derive(Debug)]
pub struct Place {
    connections: Arc<Connections>,
    number: u64,
    closed: Arc<Notify>,
}

/// A request of a connection, until its response was sent.
#[derive(Debug)]
pub struct Busy(Arc<Place>);

impl Connections {
    /// At most `most` at once.
    pub fn new(most: usize) -> Arc<Self> {
        let (open, has_room) = (Mutex::default(), Notify::new());
        Arc::new(Self { most: most.max(1), open, has_room })
    }

    /// A place for a connection from `peer`. Where all others have requests, it waits.
    pub async fn place(self: &Arc<Self>, peer: IpAddr) -> Arc<Place> {
        loop {
            let has_room = self.has_room.notified();
            if let Some(place) = self.try_place(peer) {
                return Arc::new(place);
            }
            has_room.await;
        }
    }

    fn try_place(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let mut open = self.open();
        if open.connections.len() >= self.most {
            // Its file is free once its place is dropped, and one is enough.
            let is_closing = open.connections.values().any(|one| one.state == State::Closing);
            let idle = open.least_needed().filter(|_| !is_closing)?;
            let connection = open.connections.get_mut(&idle)?;
            connection.state = State::Closing;
            connection.closed.notify_one();
            return None;
        }
        let number = open.number();
        let closed = Arc::new(Notify::new());
        let connection =
            OpenConnection { peer, state: State::Idle(number), closed: closed.clone() };
        open.connections.insert(number, connection);
        Some(Place { connections: self.clone(), number, closed })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The connection that has been without a request for the longest, of the peer that has the most of
    /// these.
    fn least_needed(&self) -> Option<u64> {
        let idle = || {
            self.connections.iter().filter_map(|(number, one)| match one.state {
                State::Idle(since) => Some((number, one.peer, since)),
                State::Busy | State::Closing => None,
            })
        };
        let mut of_peer: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for (_, peer, _) in idle() {
            *of_peer.entry(peer).or_default() += 1;
        }
        let most = of_peer.values().max()?;
        let candidates = idle().filter(|(_, peer, _)| of_peer.get(peer) == Some(most));
        candidates.min_by_key(|(.., since)| *since).map(|(number, ..)| *number)
    }
}

impl Place {
    /// Waits until the connection must make room for another.
    pub async fn closed(&self) {
        self.closed.notified().await;
    }

    /// The connection has a request.
    pub fn busy(self: &Arc<Self>) -> Busy {
        self.set_idle(false);
        Busy(self.clone())
    }

    fn set_idle(&self, is_idle: bool) {
        let mut open = self.connections.open();
        let now = open.number();
        if let Some(connection) = open.connections.get_mut(&self.number)
            && connection.state != State::Closing
        {
            connection.state = if is_idle { State::Idle(now) } else { State::Busy };
        }
        if is_idle {
            self.connections.has_room.notify_one();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open().connections.remove(&self.number);
        self.connections.has_room.notify_one();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.set_idle(true);
    }
}

impl Busy {
    /// `response`, whose connection is busy until all of it was sent.
    pub fn until_sent(self, response: Response) -> Response {
        until_sent(response, self)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::pin::pin;

    use axum::body::Body;
    use futures_util::FutureExt;

    use super::*;

    fn peer(n: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, n).into()
    }

    fn is_closed(place: &Place) -> bool {
        pin!(place.closed()).now_or_never().is_some()
    }

    #[tokio::test]
    async fn the_peer_with_the_most_idle_connections_makes_room() {
        let connections = Connections::new(3);
        let one = connections.place(peer(1)).await;
        let first = connections.place(peer(2)).await;
        let second = connections.place(peer(2)).await;
        let mut third = pin!(connections.place(peer(3)));
        assert!(third.as_mut().now_or_never().is_none(), "no file is free yet");
        assert!(is_closed(&first), "the oldest of those that have several");
        assert!(!is_closed(&one) && !is_closed(&second));
        drop(first);
        let third = third.now_or_never().expect("there is room");
        // Now each peer has one, and the order of the last requests decides.
        drop(one.busy());
        assert!(pin!(connections.place(peer(4))).now_or_never().is_none());
        assert!(is_closed(&second) && !is_closed(&one) && !is_closed(&third));
    }

    #[tokio::test]
    async fn a_connection_with_a_request_keeps_its_place_until_its_response_was_sent() {
        let connections = Connections::new(1);
        let place = connections.place(peer(1)).await;
        let response = place.busy().until_sent(Response::new(Body::from("x")));
        let mut next = pin!(connections.place(peer(2)));
        assert!(next.as_mut().now_or_never().is_none());
        assert!(!is_closed(&place));
        drop(response);
        assert!(next.as_mut().now_or_never().is_none());
        assert!(is_closed(&place));
        drop(place);
        assert!(next.now_or_never().is_some());
    }
}
