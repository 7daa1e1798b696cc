//! The server's side.

use std::sync::Arc;

use poem::endpoint::BoxEndpoint;
use poem::listener::{Acceptor as _, Listener as _};
use poem::{Endpoint, Request, Response, RouteMethod, Server, get, handler};
use tokio::io::AsyncReadExt as _;
use workscribe::http::{HttpOptions, IdentityApi, OrganizationsApi, ProjectsApi, TasksApi, mount};
use workscribe::identity::{SecretKey, SecretRing};
use workscribe::local::Unlimited;
use workscribe::ports::Secret;
use workscribe::sql::{Database, Options, PostgresStorage, SqliteStorage};
use workscribe::{Settings, WorkScribe};

use super::support::Outcome;

pub(super) enum Store {
    Sqlite(SqliteStorage),
    Postgres(PostgresStorage),
}

impl Store {
    pub(super) async fn connect(url: &str) -> Outcome<Self> {
        let options = Options::default();
        Ok(if url.starts_with("sqlite:") {
            Self::Sqlite(SqliteStorage::connect(url, &options).await?)
        } else {
            Self::Postgres(PostgresStorage::connect(url, &options).await?)
        })
    }

    pub(super) fn database(&self) -> &dyn Database {
        match self {
            Self::Sqlite(storage) => storage,
            Self::Postgres(storage) => storage,
        }
    }

    /// `kept` is how long a session is cached, in milliseconds.
    pub(super) fn app(&self, kept: u32) -> Outcome<WorkScribe> {
        let key =
            SecretKey::new(&Secret::new("a key for benchmarks, which opens nothing")).ok_or("too short")?;
        let session_cache_ttl = chrono::TimeDelta::milliseconds(kept.into());
        Ok(WorkScribe::builder(self.database().storage(), SecretRing::new(key, vec![]))
            .limiter(Arc::new(Unlimited))
            .settings(Settings { session_cache_ttl, ..Settings::default() })
            .build())
    }
}

/// The mounted API with one more route. A router around both would have a cost that the host does not have.
struct Routes {
    bare: RouteMethod,
    api: BoxEndpoint<'static, Response>,
}

impl Endpoint for Routes {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        if request.uri().path() == "/bare" {
            return self.bare.call(request).await;
        }
        self.api.call(request).await
    }
}

#[handler]
fn bare() -> &'static str {
    "{\"hello\":\"world\"}"
}

/// Serves until the standard input ends. It prints its port first.
#[expect(clippy::print_stdout, reason = "that is where the port is awaited")]
pub(super) async fn serve(url: &str, kept: u32) -> Outcome<()> {
    let store = Store::connect(url).await?;
    let app = store.app(kept)?;
    let apis =
        (IdentityApi::new(&app), OrganizationsApi::new(&app), ProjectsApi::new(&app), TasksApi::new(&app));
    let routes = Routes {
        bare: get(bare),
        api: mount(&app, apis, &HttpOptions { counts_requests: false, ..HttpOptions::default() }),
    };
    let acceptor = poem::listener::TcpListener::bind("127.0.0.1:0").into_acceptor().await?;
    let address = acceptor.local_addr().remove(0);
    println!("{}", address.as_socket_addr().ok_or("no TCP address")?.port());
    tokio::spawn(Server::new_with_acceptor(acceptor).run(routes));
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    store.database().close().await;
    Ok(())
}
