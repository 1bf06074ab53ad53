//! How far the pulls are, for whoever waits: a bar for each image on a terminal, lines elsewhere. On the standard error.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use examples::console;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use kolla_container_core::images::{ImageEvent, ImageListener, Progress as PullProgress};
use kolla_container_core::{ByteSize, ImageRef};

/// Shows how far the pulls are.
#[derive(Debug)]
pub(crate) enum Progress {
    Bars(Bars),
    Lines,
}

impl Progress {
    /// For the standard error of this process, whatever it is.
    pub(crate) fn of(images: &[ImageRef]) -> Self {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        if std::io::stderr().is_terminal() && !is_dumb { Self::Bars(Bars::new(images)) } else { Self::Lines }
    }
}

impl ImageListener for Progress {
    fn event(&self, event: &ImageEvent<'_>) {
        match self {
            Self::Bars(bars) => bars.event(event),
            Self::Lines => {
                if let Some((image, said)) = said(event) {
                    console::say(&format!("{}: {said}", image.familiar()));
                }
            }
        }
    }
}

/// What is said of an event, and of which image; nothing of one that is followed by others soon.
fn said<'a>(event: &ImageEvent<'a>) -> Option<(&'a ImageRef, String)> {
    Some(match event {
        ImageEvent::Present { image, .. } => (image, "already here".to_owned()),
        ImageEvent::Pulling { image } => (image, "pulling".to_owned()),
        ImageEvent::Pulled { image, changed: false, .. } => (image, "up to date".to_owned()),
        ImageEvent::Pulled { image, pulled, changed: true } => {
            let size = ByteSize::from_bytes(pulled.size).rounded();
            (image, format!("pulled in {:.1} s, {size}", pulled.took.as_secs_f64()))
        }
        ImageEvent::NeverPull { image } => (image, "not here, and not to be pulled".to_owned()),
        ImageEvent::Failed { image, .. }
        | ImageEvent::BackOff { image, .. }
        | ImageEvent::InspectFailed { image, .. } => (image, "failed".to_owned()),
        _ => return None,
    })
}

/// A bar for each image, all of them there from the beginning.
#[derive(Debug)]
pub(crate) struct Bars {
    bars: BTreeMap<ImageRef, ProgressBar>,
    _all: MultiProgress,
}

impl Bars {
    fn new(images: &[ImageRef]) -> Self {
        let all = MultiProgress::new();
        let widest = images.iter().map(|image| image.familiar().len()).max().unwrap_or_default().clamp(1, 40);
        let template = format!("{{prefix:{widest}!}}  [{{bar:15}}] {{wide_msg}}");
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let style = style.progress_chars("=> ");
        let mut bars = BTreeMap::new();
        for image in images {
            bars.entry(image.clone()).or_insert_with(|| {
                let bar = all.add(ProgressBar::new(1).with_style(style.clone()).with_prefix(image.familiar()));
                bar.set_message("waiting");
                bar.enable_steady_tick(Duration::from_millis(200));
                bar
            });
        }
        Self { bars, _all: all }
    }

    fn event(&self, event: &ImageEvent<'_>) {
        if let ImageEvent::Progress { image, progress } = event
            && let Some(bar) = self.bars.get(image)
        {
            // Without a length it would look full.
            bar.set_length(progress.total().max(1));
            bar.set_position(progress.current());
            bar.set_message(message(progress));
        }
        let Some((image, said)) = said(event) else { return };
        let Some(bar) = self.bars.get(image) else { return };
        match event {
            ImageEvent::Pulling { .. } => bar.set_message(said),
            ImageEvent::Pulled { .. } | ImageEvent::Present { .. } => bar.finish_with_message(said),
            _ => bar.abandon_with_message(said),
        }
    }
}

/// How much has come, how many layers are here, and what is being done with one that is.
fn message(progress: &PullProgress) -> String {
    let size = |bytes| ByteSize::from_bytes(bytes).rounded();
    let (here, layers) = progress.layers_here();
    let doing = progress.layers().find(|(_, layer)| layer.status == "Extracting").map(|_| ", extracting");
    let bytes = format!("{} of {}", size(progress.current()), size(progress.total()));
    format!("{bytes}, {here} of {layers} layers{}", doing.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use kolla_container_core::images::Pulled;

    use super::*;

    #[test]
    fn what_becomes_of_an_image_is_a_line() {
        let image: ImageRef = "nginx".parse().unwrap();
        let pulled = Pulled { took: Duration::from_millis(1250), waited: Duration::ZERO, size: 3 << 20 };

        let line = |changed| said(&ImageEvent::Pulled { image: &image, pulled: &pulled, changed }).unwrap().1;

        assert_eq!((line(true).as_str(), line(false).as_str()), ("pulled in 1.2 s, 3 MiB", "up to date"));
    }
}
