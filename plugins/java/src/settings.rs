//! The configuration, and the patterns where it names none.

use logsmith_plugin::Offset;
use serde::Deserialize;

use crate::layout::{self, Item};
use crate::reading::Span;

/// The configured plugin.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Settings")]
pub struct Java {
    pub(crate) layouts: Vec<Vec<Item>>,
    pub(crate) zone: Offset,
    pub(crate) spans: Vec<Span>,
}

/// The configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    patterns: Option<Vec<String>>,
    #[serde(default)]
    zone: Offset,
}

/// What common programs write if nobody tells them otherwise.
pub const DEFAULTS: &[&str] = &[
    // Spring Boot 3 with its name and traces, with its name, and of all ages.
    "%d %5p %pid --- [%X{application}] [%15.15t] [%20X{trace}] %-40.40logger{39} : %m%n",
    "%d %5p %pid --- [%X{application}] [%15.15t] %-40.40logger{39} : %m%n",
    "%d %5p %pid --- [%15.15t] %-40.40logger{39} : %m%n",
    // logback and log4j.
    "%d [%t] %-5p %c - %m%n",
    "%d{HH:mm:ss.SSS} [%t] %-5p %c - %m%n",
    "%d{HH:mm:ss.SSS} [%t] %-5p %c -%kvp- %m%n",
    "%d %-5p [%t] %c - %m%n",
    // Hadoop, with threads and without, and Spark.
    "%d %-5p [%t] %c: %m%n",
    "%d %-5p %c: %m%n",
    "%d{yy/MM/dd HH:mm:ss} %-5p %c: %m%n",
    // ZooKeeper, also of old.
    "%d [myid:%X{myid}] - %-5p [%t:%C{1}@%L] - %m%n",
    "%d - %-5p [%t:%C{1}@%L] - %m%n",
    // Kafka, Elasticsearch, Cassandra.
    "[%d] %p %m (%c)%n",
    "[%d][%-5p][%-25c{1.}] [%node_name]%marker %m%n",
    "%-5p [%t] %d %F:%L - %m%n",
    // WildFly and Quarkus, Tomcat, java.util.logging.
    "%d %-5p [%c] (%t) %s%e%n",
    "%d{dd-MMM-yyyy HH:mm:ss.SSS} %p [%t] %C.%M %m%n",
    "%d{MMM dd, yyyy h:mm:ss a} %C %M%n%p: %m%n",
];

impl TryFrom<Settings> for Java {
    type Error = String;

    fn try_from(Settings { patterns, zone }: Settings) -> Result<Self, String> {
        let parse = |pattern: &str| {
            layout::parse(pattern).map_err(|error| format!("`patterns`: `{pattern}`: {error}"))
        };
        let layouts = match &patterns {
            Some(patterns) if patterns.is_empty() => {
                return Err("`patterns` is empty: leave it out for those of common programs".into());
            }
            Some(patterns) => patterns.iter().map(|pattern| parse(pattern)).collect::<Result<_, _>>()?,
            None => DEFAULTS.iter().map(|pattern| parse(pattern)).collect::<Result<_, _>>()?,
        };
        Ok(Self { layouts, zone, spans: Vec::new() })
    }
}
