//! What made each connection, from `labels.csv`: the ground that experiments are measured on.
//!
//! Promises: a request is held against the one connection that can have carried it; where a log numbers connections and the labels know
//! the numbers, that number decides, else address, port and time.
//!
//! Read next: `data.rs` (who asks), `datasets/README.md` (the columns).

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::LabError;

/// One labelled connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Connection {
    /// First packet, ns.
    pub first_ns: i64,
    /// Last packet, ns.
    pub last_ns: i64,
    /// `human`, `good_bot` or `bot`.
    pub class: String,
    /// Kind of client.
    pub kind: String,
    /// Client.
    pub name: String,
    /// Whether the capture holds its ClientHello.
    pub has_hello: bool,
    /// Population of a scenario; empty in a recording.
    pub population: String,
    /// Campaign of a scenario; empty for none.
    pub campaign: String,
    /// The server's number of it; empty in a recording.
    pub conn_id: String,
}

/// Every labelled connection of a set.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    connections: Vec<Connection>,
    by_end: BTreeMap<(String, i64), Vec<usize>>,
    by_id: BTreeMap<String, usize>,
}

/// Times in a log and on the wire differ by at most this after correction, ns.
const SLACK_NS: i64 = 200_000_000;

impl Labels {
    /// Reads a labels file.
    ///
    /// # Errors
    /// It cannot be read, or a line is not as the header says.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        let text = std::fs::read_to_string(path).map_err(LabError::io("read labels", path))?;
        let mut lines = text.lines().enumerate();
        let fail = |line: usize, detail: &str| LabError::Ask(format!("read labels {}, line {line}: {detail}", path.display()));
        let header: Vec<&str> = lines.next().map_or(Vec::new(), |(_, line)| line.split(',').collect());
        let column = |name: &str| header.iter().position(|column| *column == name);
        let need =
            |name: &str| column(name).ok_or_else(|| fail(1, &format!("there is no column {name:?}; see datasets/README.md")));
        let (ip, port, first, last) = (need("src_ip")?, need("src_port")?, need("first_ns")?, need("last_ns")?);
        let (class, kind, name, hello) = (need("class")?, need("client_kind")?, need("client_name")?, need("has_hello")?);
        let (population, campaign, conn_id) = (column("population"), column("campaign"), column("conn_id"));
        let mut labels = Self::default();
        for (number, line) in lines.filter(|(_, line)| !line.is_empty()) {
            let cells: Vec<&str> = line.split(',').collect();
            let cell = |place: usize| cells.get(place).copied().unwrap_or_default();
            let optional = |place: Option<usize>| place.map_or(String::new(), |place| cell(place).to_owned());
            let whole = |place: usize| {
                cell(place).parse::<i64>().map_err(|_| fail(number + 1, "src_port, first_ns and last_ns must be whole numbers"))
            };
            let connection = Connection {
                first_ns: whole(first)?,
                last_ns: whole(last)?,
                class: cell(class).to_owned(),
                kind: cell(kind).to_owned(),
                name: cell(name).to_owned(),
                has_hello: cell(hello) == "1",
                population: optional(population),
                campaign: optional(campaign),
                conn_id: optional(conn_id),
            };
            let place = labels.connections.len();
            labels.by_end.entry((cell(ip).to_owned(), whole(port)?)).or_default().push(place);
            if !connection.conn_id.is_empty() {
                labels.by_id.insert(connection.conn_id.clone(), place);
            }
            labels.connections.push(connection);
        }
        Ok(labels)
    }

    /// The connection with this number, else the one that was open at `at_ns` on this address and port: of several the last begun.
    #[must_use]
    pub fn carrier(&self, conn_id: &str, address: &str, port: i64, at_ns: i64) -> Option<&Connection> {
        if let Some(place) = self.by_id.get(conn_id) {
            return self.connections.get(*place);
        }
        let places = self.by_end.get(&(address.to_owned(), port))?;
        let open = |slack_ns: i64| {
            let connections = places.iter().filter_map(|place| self.connections.get(*place));
            let fits = move |c: &&Connection| {
                c.first_ns.saturating_sub(slack_ns) <= at_ns && at_ns <= c.last_ns.saturating_add(slack_ns)
            };
            connections.filter(fits).max_by_key(|connection| connection.first_ns)
        };
        open(0).or_else(|| open(SLACK_NS)).or_else(|| open(1_100_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connection_that_was_open_carried_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "src_ip,src_port,first_ns,last_ns,client_kind,client_name,class,has_hello\n\
                    10.0.0.1,4000,1000000000,5000000000,browser,a,human,1\n10.0.0.1,4000,9000000000,12000000000,scanner,b,bot,0\n";
        std::fs::write(file.path(), text).unwrap();
        let labels = Labels::read(file.path()).unwrap();
        let name = |at_ns| labels.carrier("", "10.0.0.1", 4000, at_ns).map(|connection| connection.name.as_str());
        assert_eq!(name(2_000_000_000), Some("a"));
        assert_eq!(name(9_000_000_001), Some("b"));
        assert_eq!(name(8_900_000_000), Some("b"));
        assert_eq!(name(20_000_000_000), None);
        assert_eq!(labels.carrier("", "10.0.0.2", 4000, 2_000_000_000), None);
        std::fs::write(file.path(), "a,b\n1,2\n").unwrap();
        assert!(Labels::read(file.path()).unwrap_err().to_string().contains("no column \"src_ip\""));
    }
}
