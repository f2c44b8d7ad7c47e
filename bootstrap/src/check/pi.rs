//! What a Raspberry Pi tells about itself: its power, and the pages of its kernel.

use super::{Row, Subject};

/// What programs are built for.
const USUAL_PAGE: u64 = 4096;

pub(super) fn rows(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    rows.extend(pages(subject));
    rows.extend(power(subject));
}

/// Programs with an allocator of their own often have the size of a page built in, jemalloc above all, and end at once where it
/// is another. Whether an image does so is not in its name.
fn pages(subject: &Subject<'_>) -> Option<Row> {
    let size = subject.facts.page_size;
    if size <= USUAL_PAGE {
        return None;
    }
    let text = format!(
        "{} KiB: images with jemalloc built for 4 KiB end at once with `Unsupported system page size` (seen with fluent-bit, \
         greptimedb, pgcat, rauthy, rustfs, windmill)",
        size / 1024
    );
    Some(if subject.facts.machine.raspberry_pi {
        subject.warning(
            "page size",
            text,
            "if you need one of them, put `kernel=kernel8.img` into config.txt and reboot (Envoy then lacks address space: its \
             kernel has 39 bits of it)",
        )
    } else {
        subject.warning("page size", text, "if you need one of them, boot a kernel with 4 KiB pages")
    })
}

fn power(subject: &Subject<'_>) -> Option<Row> {
    const CHECK: &str = "power";
    let power = subject.facts.power.as_ref()?;
    let supply = "use the supply made for this model and a short cable, and move disks to a hub with a supply of its own";
    Some(if power.under_voltage {
        subject.warning(
            CHECK,
            "the voltage is too low now: the machine slows down, disks on USB drop out, cards lose data",
            supply,
        )
    } else if power.throttled {
        subject.warning(
            CHECK,
            "the processor is slowed down now, by heat or by its supply",
            "cool it; a fan is enough",
        )
    } else if power.was_under_voltage {
        subject.fine(CHECK, format!("enough now, but the voltage was too low since the boot: {supply}"))
    } else if power.was_throttled {
        subject.fine(
            CHECK,
            "enough now, but the processor was slowed down since the boot: cool it, or look at its supply",
        )
    } else {
        subject.fine(CHECK, "enough")
    })
}
