//! What lies beside the log: whose directory it is, where everything goes, and who did what.

use std::net::TcpListener;
use std::path::PathBuf;

use cadastre_server::{Broker, BrokerConfig, FormatOptions, Properties};

use super::change::{Altered, Region, cuts, flips, replaced};
use super::content::copy_directory;
use super::table::{Expectation, Judgement, Verdict};
use super::{Context, chain};

struct Home {
    root: tempfile::TempDir,
    port: u16,
}

pub(crate) async fn tamper(context: &mut Context<'_>) {
    let home = Home::new().await;
    for (kind, file) in [("meta.properties", "meta.properties"), ("data-path manifest", "data-path.json")] {
        let sound = std::fs::read(home.data().join(file)).unwrap();
        let regions = if file == "meta.properties" { lines(&sound) } else { thirds(&sound) };
        let mut altered = flips(context, &sound, &regions);
        altered.extend(cuts("cut", &sound, [0, sound.len() / 2]));
        altered.push(replaced("replaced", "by text", b"something else\n".to_vec()));
        for Altered { region, what, bytes } in altered {
            let judgement = home.judge(file, &sound, Some(&bytes)).await;
            context.table.note(kind, &region, &what, 0, Expectation::Noticed, &judgement);
        }
    }
}

impl Home {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        // The manifest says where clients are listened to.
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let home = Self { root, port };
        let config = home.config();
        let users = vec!["SCRAM-SHA-512=[name=alice,password=alice-secret]".to_owned()];
        let options = FormatOptions { cluster_id: None, scram: users, ignore_formatted: false };
        cadastre_server::format(&config, &options).await.unwrap();
        Broker::start(config).await.unwrap().shutdown().await.unwrap();
        home
    }

    fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    fn config(&self) -> BrokerConfig {
        let text = format!(
            "process.roles=broker\nnode.id=1\nlisteners=PLAINTEXT://127.0.0.1:{port}\nlog.dirs={root}/data\n\
             cadastre.key.file={root}/kek\ncadastre.fsync=false\n",
            port = self.port,
            root = self.root.path().display()
        );
        BrokerConfig::from_properties(Properties::parse(&text).unwrap()).unwrap()
    }

    /// Starts a broker where a file has other content; the directory is put back as it was afterwards.
    async fn judge(&self, file: &str, sound: &[u8], altered: Option<&[u8]>) -> Judgement {
        let saved = tempfile::tempdir().unwrap();
        copy_directory(&self.data(), saved.path());
        let path = self.data().join(file);
        if let Some(altered) = altered {
            std::fs::write(&path, altered).unwrap();
        }
        let judgement = match Broker::start(self.config()).await {
            Err(error) => {
                let said = chain(&error);
                // A directory of another cluster is refused by the name of either.
                let name = if said.contains("cluster") { "cluster" } else { file };
                Judgement::refused(said, name)
            }
            Ok(broker) => {
                broker.shutdown().await.unwrap();
                let is_healed = std::fs::read(&path).is_ok_and(|bytes| bytes == sound);
                Judgement::new(if is_healed { Verdict::Healed } else { Verdict::Unnoticed }, "started")
            }
        };
        std::fs::remove_dir_all(self.data()).unwrap();
        copy_directory(saved.path(), &self.data());
        judgement
    }
}

/// A region for each line of a properties file, named by what it sets.
fn lines(bytes: &[u8]) -> Vec<Region> {
    let mut start = 0;
    let mut regions = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        let name = text.split('=').next().unwrap_or_default();
        regions.push(Region::new(name, start..start + line.len()));
        start += line.len();
    }
    regions
}

fn thirds(bytes: &[u8]) -> Vec<Region> {
    let third = bytes.len() / 3;
    [0..third, third..2 * third, 2 * third..bytes.len()].map(|range| Region::new("text", range)).to_vec()
}
