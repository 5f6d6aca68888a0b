//! Pages of lists on the wire (`idaas.md` 1.3).

use flexledger_projections::{LARGEST_PAGE, Page, Paged, Sort};

use super::error::{ApiError, Code};
use super::query::Query;
use super::write::Writer;

/// Sort parameters in one request at most.
const MOST_SORTS: usize = 16;

/// The largest page number on the wire: it is an int32.
const LAST_PAGE: u32 = i32::MAX as u32;

/// Reads `page`, `size` and `sort`. A size above the cap is cut down to it.
///
/// # Errors
/// `VALID-2001` for a negative page, a size of zero, or what is no number or no direction.
pub fn read(query: &Query) -> Result<Page, ApiError> {
    let mut page = Page::default();
    let mut errors = Vec::new();
    if let Some(text) = query.first("page") {
        match number(text) {
            Some(number) => page.number = number.min(LAST_PAGE),
            None => errors.push("page must be a number of 0 or more".to_owned()),
        }
    }
    if let Some(text) = query.first("size") {
        match number(text) {
            Some(size) if size > 0 => page.size = size.min(LARGEST_PAGE),
            _ => errors.push("size must be a number of 1 or more".to_owned()),
        }
    }
    for text in query.all("sort").filter(|text| !text.is_empty()) {
        read_sort(text, &mut page.sort);
    }
    if page.sort.len() > MOST_SORTS || page.sort.iter().any(|sort| sort.property.is_empty()) {
        errors.push("sort must be property,asc or property,desc".to_owned());
    }
    if errors.is_empty() { Ok(page) } else { Err(ApiError { errors, ..ApiError::new(Code::Invalid) }) }
}

/// Digits only; what exceeds 32 bits is the largest number.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u32::MAX))
}

/// `property`, `property,desc`, or several properties with one direction.
fn read_sort(text: &str, sorts: &mut Vec<Sort>) {
    let (names, descending) = match text.rsplit_once(',') {
        Some((names, word)) if word.trim().eq_ignore_ascii_case("desc") => (names, true),
        Some((names, word)) if word.trim().eq_ignore_ascii_case("asc") => (names, false),
        _ => (text, false),
    };
    let taken = names.split(',').take(MOST_SORTS + 1);
    sorts.extend(taken.map(|name| Sort { property: name.trim().to_owned(), descending }));
}

/// Writes the page object. `usual` is the property that the list is ordered by, descending, when nothing was asked.
pub fn write<T>(
    writer: &mut Writer,
    page: &Page,
    usual: &str,
    paged: &Paged<T>,
    mut item: impl FnMut(&mut Writer, &T),
) {
    let size = u64::from(page.size.max(1));
    let pages = paged.total.div_ceil(size);
    let shown = paged.items.len();
    writer.object(|w| {
        w.name("content").array(&paged.items, |w, one| item(w, one));
        w.count("totalElements", paged.total);
        w.count("totalPages", pages);
        w.count("number", page.number);
        w.count("size", page.size);
        w.count("numberOfElements", u64::try_from(shown).unwrap_or(u64::MAX));
        w.flag("first", page.number == 0);
        w.flag("last", u64::from(page.number) + 1 >= pages);
        w.flag("empty", shown == 0);
        write_sort(w.name("sort"), page, usual);
        w.name("pageable").object(|w| {
            w.count("offset", page.offset());
            w.count("pageNumber", page.number);
            w.count("pageSize", page.size);
            w.flag("paged", true);
            w.flag("unpaged", false);
            write_sort(w.name("sort"), page, usual);
        });
    });
}

fn write_sort(writer: &mut Writer, page: &Page, usual: &str) {
    let asked = page.sort.iter().map(|sort| (sort.property.as_str(), sort.descending));
    let fallback = page.sort.is_empty().then_some((usual, true));
    writer.array(asked.chain(fallback), |w, (property, descending)| {
        w.object(|w| {
            w.text("direction", if descending { "DESC" } else { "ASC" });
            w.text("property", property);
            w.flag("ascending", !descending);
            w.flag("ignoreCase", false);
            w.text("nullHandling", "NATIVE");
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Result<Page, ApiError> {
        read(&Query::parse(Some(query)).unwrap())
    }

    #[test]
    fn parameters() {
        assert_eq!(page("").unwrap(), Page::default());
        let asked = page("page=2&size=9999&sort=amount,desc&sort=createdAt&sort=").unwrap();
        assert_eq!((asked.number, asked.size), (2, LARGEST_PAGE));
        let sorts: Vec<_> = asked.sort.iter().map(|s| (s.property.as_str(), s.descending)).collect();
        assert_eq!(sorts, [("amount", true), ("createdAt", false)]);
        assert_eq!(page("page=99999999999999999999").unwrap().number, LAST_PAGE);
        assert_eq!(page("sort=a,b,DESC").unwrap().sort.len(), 2);
        for wrong in ["page=-1", "page=x", "page=", "size=0", "size=-1", "size=1.5", "sort=,desc", "page=%2B1"] {
            assert_eq!(page(wrong).unwrap_err().code, Code::Invalid, "{wrong}");
        }
        assert_eq!(page("page=-1&size=0").unwrap_err().errors.len(), 2);
    }

    #[test]
    fn page_object() {
        let mut writer = Writer::default();
        let paged = Paged { items: vec![1, 2], total: 5 };
        write(&mut writer, &page("page=1&size=2").unwrap(), "createdAt", &paged, |w, n| w.number(*n));
        let value: serde_json::Value = serde_json::from_slice(&writer.into_bytes()).unwrap();
        assert_eq!(value["content"], serde_json::json!([1, 2]));
        assert_eq!((value["totalElements"].as_u64(), value["totalPages"].as_u64()), (Some(5), Some(3)));
        assert_eq!((value["first"].as_bool(), value["last"].as_bool()), (Some(false), Some(false)));
        assert_eq!(value["pageable"]["offset"], 2);
        assert_eq!(value["sort"][0]["direction"], "DESC");
        let mut writer = Writer::default();
        write(
            &mut writer,
            &page("page=9").unwrap(),
            "createdAt",
            &Paged { items: Vec::<i32>::new(), total: 0 },
            |w, n| {
                w.number(*n);
            },
        );
        let value: serde_json::Value = serde_json::from_slice(&writer.into_bytes()).unwrap();
        assert_eq!((value["empty"].as_bool(), value["last"].as_bool()), (Some(true), Some(true)));
    }
}
