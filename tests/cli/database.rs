//! A database for the command: the fake of the library's own tests, on the SQL port of a loopback
//! address of its own, and a deployment that has it as its node.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU8, Ordering};

use deployer::sql::Endpoint;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::World;

#[path = "../../src/sql/fake.rs"]
#[allow(dead_code)]
mod fake;

pub(crate) use fake::{Answer, PASSWORD, SERVED, refusal};

const SQL_PORT: u16 = 8563;
/// Other test processes may run: addresses begin where this one's number says.
static NEXT: AtomicU8 = AtomicU8::new(1);

pub struct Database {
    pub endpoint: Endpoint,
    // Ends with it.
    _runtime: Runtime,
}

impl Database {
    /// Answers `SELECT 1` and more, unless `respond` knows better.
    pub fn answering(respond: impl Fn(&Value) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = listen();
        listener.set_nonblocking(true).unwrap();
        let endpoint =
            runtime.block_on(async { fake::serve_on(tokio::net::TcpListener::from_std(listener).unwrap(), respond) });
        Self { endpoint, _runtime: runtime }
    }

    pub fn usual() -> Self {
        Self::answering(|_| None)
    }
}

/// The SQL port of an address that nobody else uses.
pub fn listen() -> TcpListener {
    loop {
        let [_, _, high, low] = std::process::id().to_be_bytes();
        let address = Ipv4Addr::new(127, high | 0x80, low, NEXT.fetch_add(1, Ordering::Relaxed));
        if let Ok(listener) = TcpListener::bind((address, SQL_PORT)) {
            return listener;
        }
    }
}

impl World {
    /// A deployment whose one node is this database, ready as `deploy` leaves it.
    pub fn with_database(self, database: &Database) -> Self {
        let world = self.with_a_machine();
        world.edit_state(|state| {
            state["phase"] = "database_ready".into();
            state["certificate_fingerprint"] = database.endpoint.fingerprint.clone().into();
            state["nodes"] = json!([node("n11", &database.endpoint.host)]);
        });
        world.set_password(PASSWORD);
        world
    }

    pub fn set_password(&self, password: &str) {
        let file = self.deployment().join("secrets.json");
        let mut secrets: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        secrets["db_password"] = password.into();
        std::fs::write(file, secrets.to_string()).unwrap();
    }
}

pub fn node(name: &str, address: &str) -> Value {
    json!({ "name": name, "index": 0, "machine": format!("x-{name}"), "mac": "52:54:00:00:00:01", "disks": [],
        "private_ip": address, "public_ip": address })
}
