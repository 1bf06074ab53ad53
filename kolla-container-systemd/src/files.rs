//! The files of units: each is there whole, or not at all.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::config::Dialect;
use crate::unit;

/// What everybody may read, and its owner may write; what somebody has kept from others stays so.
const MODE: u32 = 0o644;
const OWNERS: u32 = 0o600;

/// A folder of units.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) folder: PathBuf,
    /// Whose units count as ours.
    pub(crate) dialect: Dialect,
}

/// What is in the place of a unit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum There {
    /// A file, with those of its drop-ins that are ours.
    Unit { text: String, ours: bool },
    /// A link to nothing, which cannot be started.
    Masked,
}

impl Files {
    /// What is in the place of a unit, if something is.
    pub(crate) fn read(&self, unit: &str) -> io::Result<Option<There>> {
        let path = self.folder.join(unit);
        let Some(kind) = found(path.symlink_metadata())?.map(|there| there.file_type()) else { return Ok(None) };
        if kind.is_symlink() && fs::read_link(&path)? == Path::new("/dev/null") {
            return Ok(Some(There::Masked));
        }
        let text = found(read(&path))?;
        // A link that leads nowhere is somebody's, too.
        let Some(mut text) = text.or_else(|| kind.is_symlink().then(String::new)) else { return Ok(None) };
        let ours = kind.is_file() && unit::is_ours(&text, self.dialect);
        for drop_in in self.drop_ins(unit)? {
            text.push('\n');
            text.push_str(&read(&drop_in)?);
        }
        Ok(Some(There::Unit { text, ours }))
    }

    /// When one of the files of a unit was changed last; `None` where there is none.
    pub(crate) fn changed(&self, unit: &str) -> io::Result<Option<SystemTime>> {
        let mut last = None;
        for path in [self.folder.join(unit)].into_iter().chain(self.drop_ins(unit)?) {
            last = last.max(found(fs::metadata(path))?.map(|there| there.modified()).transpose()?);
        }
        Ok(last)
    }

    /// Writes a unit with its drop-ins, and takes away those that were ours and are not in `text`.
    pub(crate) fn write(&self, unit: &str, text: &str) -> io::Result<()> {
        let files = unit::files(unit, text);
        for (name, text) in &files {
            self.put(name, text)?;
        }
        let is_wanted = |path: &PathBuf| files.iter().any(|(name, _)| self.folder.join(name) == *path);
        for drop_in in self.drop_ins(unit)?.into_iter().filter(|path| !is_wanted(path)) {
            found(fs::remove_file(drop_in))?;
        }
        self.tidy(unit)
    }

    /// Takes a unit away, with those of its drop-ins that are ours.
    pub(crate) fn remove(&self, unit: &str) -> io::Result<()> {
        for drop_in in self.drop_ins(unit)? {
            found(fs::remove_file(drop_in))?;
        }
        found(fs::remove_file(self.folder.join(unit)))?;
        self.tidy(unit)?;
        sync(&self.folder)
    }

    /// Writes a file: a reader, or a machine that comes back after a crash, sees the old one or the new one.
    pub(crate) fn put(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.folder.join(name);
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder)?;
        let mode = found(fs::metadata(&path))?.map_or(MODE, |there| there.permissions().mode() & MODE | OWNERS);
        let mut file = tempfile::Builder::new().prefix(".kolla-container-").tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().set_permissions(Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        sync(folder)
    }

    /// The drop-ins of a unit that are ours, in the order of their names.
    fn drop_ins(&self, unit: &str) -> io::Result<Vec<PathBuf>> {
        let Some(entries) = found(fs::read_dir(self.folder.join(format!("{unit}.d"))))? else { return Ok(Vec::new()) };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "conf")
                && found(read(&path))?.is_some_and(|text| unit::is_ours(&text, Dialect::Own))
            {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// Takes away a folder of drop-ins that nobody uses.
    fn tidy(&self, unit: &str) -> io::Result<()> {
        match fs::remove_dir(self.folder.join(format!("{unit}.d"))) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            done => found(done).map(drop),
        }
    }
}

/// A file may hold anything; what is not text in it is no text of ours.
fn read(path: &Path) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}

/// Renaming is safe only once the folder itself is on the disk.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// `None` where there is nothing of that name.
fn found<T>(answer: io::Result<T>) -> io::Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
