//! `jukinet gateway`: the vendor gateway on the municipal LAN, and what a vendor and an
//! administrator need to introduce each other's keys.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::serve::{edge_runtime, ready, start_log, stop_on_signal};
use crate::config::reader::base64_text;
use crate::config::{self, Config, GatewayConfig};
use crate::gateway;
use crate::net::https;
use crate::seclude::seclude;
use crate::talk::{Exit, Talk};

#[derive(Debug, Args)]
pub struct GatewayArgs {
    #[command(subcommand)]
    verb: GatewayVerb,
}

#[derive(Debug, Subcommand)]
enum GatewayVerb {
    /// Take changes from vendors' systems until SIGTERM
    #[command(after_help = "Example:\n  jukinet gateway serve --config gateway.toml")]
    Serve(ConfigArgs),
    /// Print the gateway's certificate (PEM), for the vendor's client to trust
    #[command(after_help = "Example:\n  \
        jukinet gateway certificate --config gateway.toml > gateway.pem")]
    Certificate(ConfigArgs),
    /// Print the pin of a vendor's certificate, for [[client]] of the configuration
    #[command(after_help = "Example:\n  jukinet gateway pin --certificate vendor.pem")]
    Pin {
        /// The vendor's client certificate (PEM)
        #[arg(long, value_name = "FILE")]
        certificate: PathBuf,
    },
    /// Print the OpenAPI document
    #[command(after_help = "Example:\n  jukinet gateway openapi > openapi.json")]
    Openapi,
}

#[derive(Debug, Args)]
struct ConfigArgs {
    /// The gateway's configuration (TOML; unknown fields are errors)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub fn run(args: &GatewayArgs, talk: Talk) -> Exit {
    match &args.verb {
        GatewayVerb::Serve(args) => with_config(&args.config, talk, |config| serve(config, talk)),
        GatewayVerb::Certificate(args) => {
            with_config(&args.config, talk, |config| certificate(&config, talk))
        }
        GatewayVerb::Pin { certificate } => pin(certificate, talk),
        GatewayVerb::Openapi => {
            talk.data(format!("{:#}", gateway::openapi::document()));
            Exit::Ok
        }
    }
}

fn with_config(file: &Path, talk: Talk, then: impl FnOnce(GatewayConfig) -> Exit) -> Exit {
    let loaded = config::load(file);
    match loaded.config {
        Some(Config::Gateway(config)) => then(*config),
        Some(_) => {
            talk.fail(format!("{}: configures no gateway (role \"feed\")", file.display()));
            Exit::Usage
        }
        None => {
            loaded.findings.iter().for_each(|finding| talk.fail(finding));
            Exit::Usage
        }
    }
}

fn serve(config: GatewayConfig, talk: Talk) -> Exit {
    start_log();
    if let Err(why) = seclude() {
        talk.fail(why);
        return Exit::Failed;
    }
    let runtime = match edge_runtime() {
        Ok(runtime) => runtime,
        Err(why) => {
            talk.fail(why);
            return Exit::Failed;
        }
    };
    let node = config.node.clone();
    let served = runtime.block_on(async move {
        let stop = stop_on_signal().map_err(|error| error.to_string())?;
        let ready = |address| ready(talk, &format!("ready {node} https://{address}"));
        gateway::serve(config, stop, ready).await.map_err(|error| error.to_string())
    });
    match served {
        Ok(()) => Exit::Ok,
        Err(error) => {
            talk.fail(error);
            Exit::Failed
        }
    }
}

fn certificate(config: &GatewayConfig, talk: Talk) -> Exit {
    let made = gateway::identity(config).map_err(|error| error.to_string()).and_then(|identity| {
        identity.certified_for(config.names.clone()).map_err(|error| error.to_string())
    });
    match made {
        Ok(certified) => {
            for certificate in &certified.cert {
                talk.data(pem(certificate));
            }
            Exit::Ok
        }
        Err(why) => {
            talk.fail(why);
            Exit::Failed
        }
    }
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let text = STANDARD.encode(certificate);
    let mut lines = vec!["-----BEGIN CERTIFICATE-----".to_owned()];
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at_checked(64).unwrap_or((rest, ""));
        lines.push(line.to_owned());
        rest = tail;
    }
    lines.push("-----END CERTIFICATE-----".to_owned());
    lines.join("\n")
}

fn pin(file: &Path, talk: Talk) -> Exit {
    let read = CertificateDer::from_pem_file(file).ok();
    match read.and_then(|certificate| https::certificate_pin(&certificate)) {
        Some(pin) => {
            talk.data(base64_text(&pin));
            Exit::Ok
        }
        None => {
            talk.fail(format!("{}: no certificate in PEM; ask the vendor for one", file.display()));
            Exit::Usage
        }
    }
}
