//! The connections of a server: so many at once. Where all are open, one that waits for its client makes
//! room, of the peer that has the most of them, so that silent and slow clients block no other.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::network::network;
use crate::sent::until_sent;

/// The connections of a server.
#[derive(Debug)]
pub struct Connections {
    most: usize,
    open: Mutex<Open>,
    /// One has ended, or waits for its client.
    has_room: Notify,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    connections: BTreeMap<u64, OpenConnection>,
}

#[derive(Debug)]
struct OpenConnection {
    /// The network of its client.
    peer: IpAddr,
    /// Requests without a response that was sent.
    requests: usize,
    /// Waits for its client to send a body, or to read.
    waits: usize,
    /// Numbers have the order in which connections began their last wait.
    since: u64,
    /// It makes room.
    is_closing: bool,
    closed: Arc<Notify>,
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

/// A wait of a connection for its client, while it has a request.
#[derive(Debug)]
pub struct Waiting(Weak<Place>);

impl Connections {
    /// At most `most` at once.
    pub fn new(most: usize) -> Arc<Self> {
        let (open, has_room) = (Mutex::default(), Notify::new());
        Arc::new(Self { most: most.max(1), open, has_room })
    }

    /// A place for a connection from `peer`. Where the server works for all others, it waits.
    pub async fn place(self: &Arc<Self>, peer: IpAddr) -> Arc<Place> {
        loop {
            let has_room = self.has_room.notified();
            if let Some(place) = self.try_place(network(peer)) {
                return Arc::new(place);
            }
            has_room.await;
        }
    }

    fn try_place(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let mut open = self.open();
        if open.connections.len() >= self.most {
            // Its file is free once its place is dropped, and one is enough.
            let is_closing = open.connections.values().any(|one| one.is_closing);
            let least = open.least_needed().filter(|_| !is_closing)?;
            let connection = open.connections.get_mut(&least)?;
            connection.is_closing = true;
            connection.closed.notify_one();
            return None;
        }
        let number = open.number();
        let closed = Arc::new(Notify::new());
        let connection = OpenConnection {
            peer,
            requests: 0,
            waits: 0,
            since: number,
            is_closing: false,
            closed: closed.clone(),
        };
        open.connections.insert(number, connection);
        Some(Place { connections: self.clone(), number, closed })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock()
    }
}

impl OpenConnection {
    /// It waits for its client: for a request, for more of a body, or for it to read.
    fn is_waiting(&self) -> bool {
        !self.is_closing && (self.requests == 0 || self.waits > 0)
    }
}

impl Open {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The connection that has waited for its client for the longest, of the peer that has the most of
    /// these.
    fn least_needed(&self) -> Option<u64> {
        let waiting = || self.connections.iter().filter(|(_, one)| one.is_waiting());
        let mut of_peer: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for (_, one) in waiting() {
            *of_peer.entry(one.peer).or_default() += 1;
        }
        let most = of_peer.values().max()?;
        let candidates = waiting().filter(|(_, one)| of_peer.get(&one.peer) == Some(most));
        candidates.min_by_key(|(_, one)| one.since).map(|(number, _)| *number)
    }
}

impl Place {
    /// Waits until the connection must make room for another.
    pub async fn closed(&self) {
        self.closed.notified().await;
    }

    /// The connection has a request.
    pub fn busy(self: &Arc<Self>) -> Busy {
        self.change(|connection| connection.requests += 1);
        Busy(self.clone())
    }

    /// The connection waits for its client, until the guard is dropped.
    pub fn waiting(self: &Arc<Self>) -> Waiting {
        self.begin_wait(|connection| connection.waits += 1);
        Waiting(Arc::downgrade(self))
    }

    fn change(&self, change: impl FnOnce(&mut OpenConnection)) {
        if let Some(connection) = self.connections.open().connections.get_mut(&self.number) {
            change(connection);
        }
    }

    fn begin_wait(&self, change: impl FnOnce(&mut OpenConnection)) {
        let since = self.connections.open().number();
        self.change(|connection| {
            change(connection);
            connection.since = since;
        });
        self.connections.has_room.notify_one();
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
        self.0.begin_wait(|connection| connection.requests -= 1);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(place) = self.0.upgrade() {
            place.change(|connection| connection.waits -= 1);
        }
    }
}

impl Busy {
    /// `body`, whose connection waits for its client while nothing of it arrives.
    pub fn arriving(&self, body: Incoming) -> Body {
        let place = Arc::downgrade(&self.0);
        Body::new(Arriving { body, place, waiting: None })
    }

    /// `response`, whose connection is busy until all of it was sent.
    pub fn until_sent(self, response: Response) -> Response {
        until_sent(response, self)
    }
}

/// A body on its way. What reads it may outlive the connection.
struct Arriving {
    body: Incoming,
    place: Weak<Place>,
    waiting: Option<Waiting>,
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if frame.is_ready() {
            self.waiting = None;
        } else if self.waiting.is_none() {
            self.waiting = self.place.upgrade().map(|place| place.waiting());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
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

    #[tokio::test]
    async fn a_connection_whose_client_does_not_read_makes_room_and_one_that_works_does_not() {
        let connections = Connections::new(3);
        let working = connections.place(peer(1)).await;
        let reading = connections.place(peer(1)).await;
        let stalled = connections.place(peer(1)).await;
        let _busy = [&working, &reading, &stalled].map(Place::busy);
        let mut next = pin!(connections.place(peer(2)));
        assert!(next.as_mut().now_or_never().is_none(), "the server works for all of them");
        let first = reading.waiting();
        let _stalls = stalled.waiting();
        // What moved waits since then.
        drop(first);
        let _again = reading.waiting();
        assert!(next.as_mut().now_or_never().is_none());
        assert!(is_closed(&stalled) && !is_closed(&reading) && !is_closed(&working));
    }

    #[tokio::test]
    async fn all_addresses_of_a_network_are_one_peer() {
        let connections = Connections::new(3);
        let own = connections.place(peer(1)).await;
        let many = ["2001:db8::1", "2001:db8::2"].map(|one| one.parse().expect("an address"));
        let first = connections.place(many[0]).await;
        let _second = connections.place(many[1]).await;
        assert!(pin!(connections.place(peer(2))).now_or_never().is_none());
        assert!(is_closed(&first) && !is_closed(&own));
    }
}
