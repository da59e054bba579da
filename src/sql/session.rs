use std::time::{Duration, Instant};

use serde_json::Value;

use super::Endpoint;
use super::deadline::Deadline;
use super::fault::Fault;
use super::login::{ServerInfo, login};
use super::protocol::{Call, accepted, content};
use super::rows::{Fetched, ResultSet, Results, append};
use super::wire::Wire;
use crate::error::{Error, Result};
use crate::model::{PASSWORD_MAX_BYTES, SqlReport};

/// What is asked for in one fetch, in bytes; the server allows 64 MiB.
const FETCH_BYTES: u64 = 4 << 20;
/// The largest result that is collected, in bytes of answers: it is kept in memory as a whole.
const RESULT_MAX_BYTES: usize = 256 << 20;

/// A logged-in connection. Statements run one after the other, each committed by itself.
pub struct Session {
    wire: Wire,
    endpoint: Endpoint,
    server: ServerInfo,
    limit: Duration,
    /// False while an answer is outstanding: after a fault, or when a caller has given up, the
    /// next answer would belong to an earlier question.
    in_step: bool,
}

impl Session {
    /// Connects and logs in. `limit` is for all of it, and then for each statement until
    /// [`Session::set_limit`].
    ///
    /// Errors: `SqlConnection` (with SQLSTATE 08004 for a wrong user or password), `Fingerprint`,
    /// `Timeout` with the step that did not end.
    pub async fn connect(endpoint: &Endpoint, user: &str, password: &str, limit: Duration) -> Result<Self> {
        let connecting = async {
            check_length(password)?;
            let deadline = Deadline::after(limit);
            let mut wire = Wire::open(endpoint, &deadline).await?;
            let server = login(&mut wire, user, password, &deadline).await?;
            Ok((wire, server))
        };
        let began = Instant::now();
        let connected = connecting.await;
        tracing::debug!(%endpoint, user, ok = connected.is_ok(), ms = began.elapsed().as_millis(), "SQL login");
        let (wire, server) = connected.map_err(|fault: Fault| fault.of_login(endpoint))?;
        Ok(Self { wire, endpoint: endpoint.clone(), server, limit, in_step: true })
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub fn server(&self) -> &ServerInfo {
        &self.server
    }

    /// SHA-256 of the certificate that the server has shown: 64 lower-case hex digits.
    pub fn fingerprint(&self) -> &str {
        &self.wire.fingerprint
    }

    /// How long each later statement may take, its rows included.
    pub fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// Runs one statement and collects its rows, or says how many it touched.
    ///
    /// Errors: `SqlStatement` when the server refuses it, and the session goes on; any other error
    /// ends the session.
    pub async fn execute(&mut self, sql: &str) -> Result<SqlReport> {
        if !self.in_step {
            return Err(Error::SqlConnection {
                host: self.endpoint.to_string(),
                cause: "an earlier statement ended without an answer, so the session cannot be used".into(),
                code: None,
                hint: None,
            });
        }
        self.in_step = false;
        let began = Instant::now();
        let result = self.run(sql).await;
        // Without its text: a statement may hold a password.
        tracing::debug!(ok = result.is_ok(), ms = began.elapsed().as_millis(), "SQL statement");
        self.in_step = matches!(result, Ok(_) | Err(Fault::Answered { .. }));
        result.map_err(|fault| fault.of_statement(&self.endpoint))
    }

    /// Whether the connection still stands, as far as it is known here: nothing is asked. False too
    /// after an answer was missed.
    pub fn is_open(&mut self) -> bool {
        self.in_step && self.wire.is_open()
    }

    /// Ends the statement that a caller has given up, and the session: a late answer could not be
    /// told from the next one's.
    pub async fn abort(mut self) {
        let deadline = Deadline::after(self.limit.min(Duration::from_secs(2)));
        let _ = self.wire.ask(&Call::AbortQuery, "the aborted statement's end", &deadline).await;
        self.wire.close(&deadline).await;
    }

    /// Says goodbye. Results are in hand by then, so nothing that goes wrong here matters.
    pub async fn close(mut self) {
        let deadline = Deadline::after(self.limit.min(Duration::from_secs(2)));
        if self.in_step {
            let _ = self.wire.ask(&Call::Disconnect, "the answer to the disconnect", &deadline).await;
        }
        self.wire.close(&deadline).await;
    }

    async fn run(&mut self, sql: &str) -> Result<SqlReport, Fault> {
        let deadline = Deadline::after(self.limit);
        let answer = self.wire.ask(&Call::Execute { sql_text: sql }, "the statement's end", &deadline).await?;
        let mut results = content::<Results>(&answer)?.results;
        let (Some(result), true) = (results.pop(), results.is_empty()) else {
            return Err(Fault::Broken("the server did not answer one statement with one result".into()));
        };
        match (result.result_set, result.row_count) {
            (Some(result_set), _) => {
                let rows = self.collect(&result_set, answer.len(), &deadline).await?;
                let columns = result_set.columns.into_iter().map(|column| column.name).collect();
                Ok(SqlReport { columns, rows, row_count: None })
            }
            (None, Some(count)) => Ok(SqlReport { columns: Vec::new(), rows: Vec::new(), row_count: Some(count) }),
            (None, None) => Err(Fault::Broken("the server's result has neither rows nor their number".into())),
        }
    }

    /// All rows: those that came with the answer, and those that wait behind a handle.
    async fn collect(&mut self, set: &ResultSet, bytes: usize, deadline: &Deadline) -> Result<Vec<Vec<Value>>, Fault> {
        let mut rows = Vec::new();
        let mut bytes = bytes;
        append(&set.columns, &set.data, &mut rows)?;
        while (rows.len() as u64) < set.num_rows {
            let Some(handle) = set.result_set_handle else {
                return Err(incomplete(rows.len(), set.num_rows));
            };
            let request =
                Call::Fetch { result_set_handle: handle, start_position: rows.len() as u64, num_bytes: FETCH_BYTES };
            let answer = self.wire.ask(&request, "the rows", deadline).await?;
            bytes = bytes.saturating_add(answer.len());
            if bytes > RESULT_MAX_BYTES {
                let limit = RESULT_MAX_BYTES >> 20;
                return Err(Fault::Broken(format!("the result has more than {limit} MiB: ask for fewer rows")));
            }
            if append(&set.columns, &content::<Fetched>(&answer)?.data, &mut rows)? == 0 {
                return Err(incomplete(rows.len(), set.num_rows));
            }
        }
        if rows.len() as u64 != set.num_rows {
            return Err(incomplete(rows.len(), set.num_rows));
        }
        if let Some(handle) = set.result_set_handle {
            let request = Call::CloseResultSet { result_set_handles: [handle] };
            accepted(&self.wire.ask(&request, "the end of the result", deadline).await?)?;
        }
        Ok(rows)
    }
}

fn incomplete(came: usize, announced: u64) -> Fault {
    Fault::Broken(format!("the server announced {announced} rows and sent {came}"))
}

fn check_length(password: &str) -> Result<(), Fault> {
    match password.len() {
        0..=PASSWORD_MAX_BYTES => Ok(()),
        bytes => {
            Err(Fault::Broken(format!("the password has {bytes} bytes; a login takes {PASSWORD_MAX_BYTES} at most")))
        }
    }
}
