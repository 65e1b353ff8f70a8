//! `[store]`: which engine keeps the node's store. Not where it is opened.

use std::path::PathBuf;

use store::postgres::Target;

use super::reader::{Findings, Table};

/// The engine of a node's store.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum StoreConfig {
    /// A database file in the folder `data`. What holds without a table `[store]`.
    #[default]
    Sqlite,
    /// A database of a PostgreSQL server on this machine, or behind a tunnel that ends here.
    Postgresql {
        /// `postgresql`: `host=/run/postgresql dbname=center user=jukinet`.
        target: Target,
        /// `password_file`: the password of its user, one line, mode 0600. Not needed where the
        /// server knows the user by the socket.
        password_file: Option<PathBuf>,
    },
}

impl StoreConfig {
    pub(super) fn read(table: &mut Table<'_, '_>, out: &mut Findings<'_>) -> Option<Self> {
        if !table.has("store") {
            return Some(Self::Sqlite);
        }
        let mut store = table.optional_table("store", out)?;
        let engine = store.parsed("engine", out, |text| match text {
            "sqlite" => Ok(false),
            "postgresql" => Ok(true),
            _ => Err("must be \"sqlite\" or \"postgresql\""),
        });
        let read = match engine {
            Some(false) => Some(Self::Sqlite),
            Some(true) => {
                let target = store.parsed("postgresql", out, Target::parse);
                let password_file =
                    store.has("password_file").then(|| store.secret("password_file", out));
                let password_file = password_file.flatten();
                target.map(|target| Self::Postgresql { target, password_file })
            }
            None => {
                store.pass_over(&["postgresql", "password_file"]);
                None
            }
        };
        store.close(out);
        read
    }
}
