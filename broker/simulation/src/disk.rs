//! A disk that keeps what was synced, tears what was not, fills up, and outlives its processes.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cadastre_storage::{DirectoryLock, FileSystem, LogFile};

use crate::process::Process;
use crate::world::World;

/// Sectors tear as a whole, in bytes.
const SECTOR: usize = 512;

/// The disk of one machine. Cheap to clone; clones are the same disk.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    world: World,
    state: Arc<Mutex<State>>,
    /// Syncs do nothing and say that they did: what no disk may do, to try the checker on.
    lies: bool,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<u64, FileState>,
    next_file: u64,
    /// What a process sees.
    entries: BTreeMap<PathBuf, u64>,
    /// What a loss of power leaves for certain.
    durable_entries: BTreeMap<PathBuf, u64>,
    locks: BTreeMap<PathBuf, Process>,
}

#[derive(Debug, Default, Clone)]
struct FileState {
    /// What a process reads.
    content: Vec<u8>,
    /// What is on the medium.
    durable: Vec<u8>,
    /// From here on a sync failed: the system takes these bytes for clean, and they are not on the medium.
    lost_from: Option<usize>,
}

impl Disk {
    /// An empty disk.
    #[must_use]
    pub(crate) fn new(world: World, lies: bool) -> Self {
        Self { world, state: Arc::default(), lies }
    }

    /// The file system as `process` sees it.
    #[must_use]
    pub(crate) fn mount(&self, process: Process) -> Arc<dyn FileSystem> {
        Arc::new(Mounted { disk: self.clone(), process })
    }

    // A poisoned lock means that a task panicked, which ends the run.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The power goes: of what was not synced, some stays, torn anywhere, and some sectors are zeros.
    pub(crate) fn lose_power(&self) {
        let mut state = self.state();
        let mut entries = state.durable_entries.clone();
        for (path, file) in state.entries.clone() {
            // A creation that was not synced may be there all the same.
            if !entries.contains_key(&path) && self.world.below(2) == 0 {
                entries.insert(path, file);
            }
        }
        // So may a deletion.
        entries.retain(|path, _| state.entries.contains_key(path) || self.world.below(2) == 0);
        for file in state.files.values_mut() {
            file.lose_power(&self.world);
        }
        state.entries.clone_from(&entries);
        state.durable_entries = entries;
    }
}

impl FileState {
    fn lose_power(&mut self, world: &World) {
        let common = self.durable.len().min(self.content.len());
        if self.content.len() < self.durable.len() {
            // A truncation that was not synced happened or did not.
            if world.below(2) == 0 {
                self.content.clone_from(&self.durable);
            }
        } else {
            let unsynced = self.content.len().saturating_sub(common);
            let kept = usize::try_from(world.below(unsynced as u64 + 1)).unwrap_or_default();
            self.content.truncate(common.saturating_add(kept));
            if kept > SECTOR && world.below(2) == 0 {
                let sectors = (kept / SECTOR) as u64;
                let sector = usize::try_from(world.below(sectors)).unwrap_or_default();
                let start = common.saturating_add(sector.saturating_mul(SECTOR));
                if let Some(torn) = self.content.get_mut(start..start.saturating_add(SECTOR)) {
                    torn.fill(0);
                }
            }
        }
        self.durable.clone_from(&self.content);
        self.lost_from = None;
    }

    fn sync(&mut self) {
        match self.lost_from {
            // Later syncs write what was dirtied later, and nothing of what was taken for clean.
            Some(lost_from) => self.durable.truncate(lost_from),
            None => self.durable.clone_from(&self.content),
        }
    }
}

/// A disk as one process sees it.
#[derive(Debug, Clone)]
struct Mounted {
    disk: Disk,
    process: Process,
}

#[derive(Debug)]
struct OpenFile {
    mounted: Mounted,
    file: u64,
}

#[derive(Debug)]
struct Held;

impl DirectoryLock for Held {}

fn dead() -> io::Error {
    io::Error::other("the process is dead")
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Mounted {
    /// Whether the process lives, and survives this very operation.
    fn operate(&self) -> io::Result<()> {
        if self.process.is_dead() {
            return Err(dead());
        }
        if self.disk.world.fault(|rates| rates.death_in_file_operation) {
            self.disk.world.note(format_args!("disk: the process dies in a file operation"));
            self.process.kill();
            return Err(dead());
        }
        Ok(())
    }

    fn open_file(&self, file: u64) -> Box<dyn LogFile> {
        Box::new(OpenFile { mounted: self.clone(), file })
    }
}

impl OpenFile {
    fn with<T>(&self, act: impl FnOnce(&mut FileState) -> io::Result<T>) -> io::Result<T> {
        act(self.mounted.disk.state().files.entry(self.file).or_default())
    }
}

impl LogFile for OpenFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let world = &self.mounted.disk.world;
        let part = || {
            let length = usize::try_from(world.below(bytes.len() as u64 + 1)).unwrap_or_default();
            bytes.get(..length).unwrap_or_default()
        };
        if self.mounted.process.is_dead() {
            return Err(dead());
        }
        if let Err(error) = self.mounted.operate() {
            let part = part();
            self.with(|file| {
                file.content.extend_from_slice(part);
                Ok(())
            })?;
            return Err(error);
        }
        if world.now() < world.outages().disk_full_until || world.fault(|rates| rates.disk_full) {
            let part = part();
            self.with(|file| {
                file.content.extend_from_slice(part);
                Ok(())
            })?;
            world.note(format_args!("disk: full after {} of {} bytes", part.len(), bytes.len()));
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.with(|file| {
            file.content.extend_from_slice(bytes);
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.mounted.operate()?;
        let world = &self.mounted.disk.world;
        if self.mounted.disk.lies {
            return Ok(());
        }
        if world.fault(|rates| rates.sync_error) {
            world.note(format_args!("disk: a sync fails"));
            return self.with(|file| {
                file.lost_from.get_or_insert(file.durable.len());
                Err(io::Error::other("simulated input/output error"))
            });
        }
        self.with(|file| {
            file.sync();
            Ok(())
        })
    }

    fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        if self.mounted.process.is_dead() {
            return Err(dead());
        }
        self.with(|file| {
            let start = usize::try_from(position).unwrap_or(usize::MAX);
            let end = start.saturating_add(buffer.len());
            let found = file.content.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?;
            buffer.copy_from_slice(found);
            Ok(())
        })
    }

    fn length(&self) -> io::Result<u64> {
        self.with(|file| Ok(file.content.len() as u64))
    }

    fn write_over(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.mounted.operate()?;
        self.with(|file| {
            let start = usize::try_from(position).unwrap_or(usize::MAX);
            let target = file.content.get_mut(start..start.saturating_add(bytes.len()));
            target.ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(bytes);
            if start.saturating_add(bytes.len()) == file.content.len() {
                // What the system took for clean is to be written again.
                file.lost_from = file.lost_from.filter(|lost_from| *lost_from < start);
            }
            Ok(())
        })
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        // A process that dies between a failed sync and this cannot be helped: the next one sees bytes that no sync will write.
        if self.mounted.process.is_dead() {
            return Err(dead());
        }
        self.with(|file| {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            file.content.truncate(length);
            // What is cut off is no longer to be synced.
            file.lost_from = file.lost_from.filter(|lost_from| *lost_from < length);
            Ok(())
        })
    }
}

impl FileSystem for Mounted {
    fn create_directory(&self, _path: &Path) -> io::Result<()> {
        self.operate()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DirectoryLock>> {
        self.operate()?;
        let mut state = self.disk.state();
        // The system takes the lock from a dead process. A log that was closed gives it back by ending its process.
        if state.locks.get(path).is_some_and(|holder| !holder.is_dead()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.locks.insert(path.to_owned(), self.process.clone());
        Ok(Box::new(Held))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        self.operate()?;
        let world = &self.disk.world;
        if world.now() < world.outages().disk_full_until {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut state = self.disk.state();
        if state.entries.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = state.next_file;
        state.next_file = file.saturating_add(1);
        state.files.insert(file, FileState::default());
        state.entries.insert(path.to_owned(), file);
        Ok(self.open_file(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn LogFile>> {
        self.operate()?;
        let file = *self.disk.state().entries.get(path).ok_or_else(missing)?;
        Ok(self.open_file(file))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.operate()?;
        self.disk.state().entries.remove(path).map(drop).ok_or_else(missing)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        self.operate()?;
        let state = self.disk.state();
        Ok(state.entries.keys().filter(|path| path.parent() == Some(directory)).cloned().collect())
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.operate()?;
        if self.disk.lies {
            return Ok(());
        }
        let mut state = self.disk.state();
        let inside = |path: &PathBuf| path.parent() == Some(directory);
        let now: Vec<_> =
            state.entries.iter().filter(|(path, _)| inside(path)).map(|(p, f)| (p.clone(), *f)).collect();
        state.durable_entries.retain(|path, _| !inside(path));
        state.durable_entries.extend(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::FaultRates;
    use crate::random::Random;
    use crate::trace::Trace;

    #[test]
    fn what_was_synced_survives_a_loss_of_power_and_nothing_else_must() {
        let mut torn = 0;
        for seed in 0..100 {
            let world = World::new(Random::new(seed), FaultRates::default(), Trace::new(false));
            let disk = Disk::new(world.clone(), false);
            let mount = disk.mount(Process::new(world));
            let path = Path::new("/log/1");
            let file = mount.create(path).unwrap();
            file.append(b"synced").unwrap();
            file.sync().unwrap();
            mount.sync_directory(Path::new("/log")).unwrap();
            file.append(&[7; 2000]).unwrap();
            disk.lose_power();
            let file = mount.open(path).unwrap();
            let mut start = [0; 6];
            file.read_exact_at(&mut start, 0).unwrap();
            assert_eq!(&start, b"synced");
            torn += u32::from(file.length().unwrap() < 2006);
        }
        assert!(torn > 50, "{torn}");
    }

    #[test]
    fn bytes_of_a_failed_sync_are_read_until_the_power_goes() {
        let world = World::new(Random::new(1), FaultRates::default(), Trace::new(false));
        let disk = Disk::new(world.clone(), false);
        let mount = disk.mount(Process::new(world));
        let file = mount.create(Path::new("/log/1")).unwrap();
        mount.sync_directory(Path::new("/log")).unwrap();
        file.append(b"gone").unwrap();
        disk.state().files.get_mut(&0).unwrap().lost_from = Some(0);
        file.sync().unwrap();
        assert_eq!(file.length().unwrap(), 4);
        assert!(disk.state().files[&0].durable.is_empty());
    }
}
