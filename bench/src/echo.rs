//! What a policy decision is measured beside: a server of the same kind, with as many workers, that does with a request
//! what every service over HTTP and JSON has to do, and nothing else. It reads the body into a [`Value`] and answers it.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use actix_web::{App, HttpServer, web};
use anyhow::{Context, Result};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::process::{Process, free_addresses, wait_until};

/// Limit for the server to listen.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Answers JSON until the process ends.
///
/// # Errors
/// When it cannot listen on `http`.
pub fn serve(http: SocketAddr, workers: NonZeroUsize) -> Result<()> {
    let server = HttpServer::new(|| App::new().default_service(web::post().to(answer)))
        .workers(workers.get())
        .bind(http)
        .with_context(|| format!("cannot listen on {http}"))?;
    Ok(actix_web::rt::System::new().block_on(server.run())?)
}

async fn answer(body: web::Json<Value>) -> web::Json<Value> {
    body
}

/// This program, started once more as that server. Dropping it ends the process.
pub struct Echo {
    pub http: SocketAddr,
    process: Process,
}

impl Echo {
    /// Starts it, its output in a file in `dir`, and waits until it listens.
    pub async fn start(workers: NonZeroUsize, dir: &Path) -> Result<Self> {
        let http = *free_addresses(1)?.first().context("no free address")?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["echo", "--http", &http.to_string()]).args(["--workers", &workers.to_string()]);
        let process = Process::start("echo", &mut command, &dir.join("echo.log"))?;
        let pids = [process.pid()];
        wait_until("the echo listens", START_LIMIT, &pids, || async { TcpStream::connect(http).await.is_ok() })
            .await
            .with_context(|| process.last_words())?;
        Ok(Self { http, process })
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};

    #[test]
    fn json_comes_back_and_nothing_else_does() {
        actix_web::rt::System::new().block_on(async {
            let app = init_service(App::new().default_service(web::post().to(answer))).await;
            let question = serde_json::json!({ "resources": ["a"], "subject": { "claims": { "sub": "b" } } });
            let asked = TestRequest::post().uri("/any?_action=x").set_json(&question);
            let answered = call_service(&app, asked.to_request()).await;
            assert_eq!(answered.status(), 200);
            assert_eq!(read_body(answered).await, question.to_string());
            let broken = TestRequest::post().insert_header(("Content-Type", "application/json"));
            let refused = call_service(&app, broken.set_payload("{").to_request()).await;
            assert_eq!(refused.status(), 400);
        });
    }
}
