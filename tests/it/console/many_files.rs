//! Forms with files: a form of a few kilobytes may be a million files, or a page of gigabytes.

use reqwest::Method;

use super::harness::{Page, Tab};
use crate::api::encoding::gzip;
use crate::api::harness::{Answer, GOOD, Served};
use ferry_types::contract::ProblemKind;

fn part(head: &str, text: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; name={head}\r\n\r\n{text}\r\n")
}

async fn post(tab: &Tab, parts: &str) -> Page {
    let body = gzip(format!("{parts}--b--\r\n").as_bytes()).await;
    let request = tab.request(Method::POST, "/console/new").header("content-encoding", "gzip");
    let request = request.header("content-type", "multipart/form-data; boundary=b");
    Page::of(request.header("sec-fetch-site", "same-origin").body(body)).await
}

#[tokio::test]
async fn a_form_has_a_hundred_files_at_most_and_its_page_is_small() {
    let served = Served::idle(&[]).await;
    let tab = Tab::at(format!("http://{}", served.address));
    let file = part("\"data\"; filename=\"a.csv\"", "x");
    let page = post(&tab, &file.repeat(100)).await;
    assert!(page.says("100 of 100 files have errors"), "{}", page.text);
    let page = post(&tab, &file.repeat(100_000)).await;
    assert_eq!(page.status, 422);
    assert!(page.says("data: more than 100 files") && page.text.len() < 10_000, "{}", page.text);
}

#[tokio::test]
async fn no_page_repeats_a_long_field() {
    let served = Served::idle(&[]).await;
    let tab = Tab::at(format!("http://{}", served.address));
    let (long, data) = ("\"".repeat(3 << 20), part("data_text", GOOD));
    for field in ["name", "labels", "key", "webhook_url", "cell-data-1-1"] {
        let page = post(&tab, &([&*data, &part(field, &long)].concat())).await;
        assert_eq!(page.status, 422, "{field}");
        assert!(page.says(&format!("{field}: it is too long")), "{}", page.text);
    }
    let cells: String =
        (1..100).map(|n| part(&format!("cell-data-{n}-0"), &long[..60_000])).collect();
    assert_eq!(post(&tab, &([data, cells].concat())).await.status, 422);
    let page =
        post(&tab, &part(&format!("\"data\"; filename=\"{}\"", "a".repeat(2000)), GOOD)).await;
    assert!(page.says("the name of its file has more than 1000 bytes"), "{}", page.text);
    // A text that is too long to be shown again is checked all the same.
    let rows = "S,03/03/2025,8,03/03/2025,16:30\n".repeat(60_000);
    let file = part("\"data\"; filename=\"a.csv\"", GOOD);
    for parts in [part("data_text", &rows), [part("data_text", &rows), file.repeat(2)].concat()] {
        let page = post(&tab, &parts).await;
        assert_eq!(page.status, 200);
        assert!(
            page.says("Choose the file again.") && page.text.len() < 500_000,
            "{}",
            page.text.len()
        );
    }
}

#[tokio::test]
async fn a_form_of_the_api_has_one_dataset_and_ends_at_a_second_one() {
    let served = Served::idle(&[]).await;
    let file = part("\"data\"; filename=\"a.csv\"", GOOD);
    let request = served.request(Method::POST, "/v1/submissions");
    let request = request.header("content-type", "multipart/form-data; boundary=b");
    // What follows the second one is no form, and is not read.
    let answer = Answer::of(request.body(file.repeat(2) + "--b\r\nnonsense")).await;
    let problem = answer.is(ProblemKind::InvalidField);
    assert_eq!(problem.detail, "`data`: it is given twice");
}

#[tokio::test]
async fn a_dataset_without_errors_is_shown_with_its_first_ten_rows() {
    let served = Served::idle(&[]).await;
    let tab = Tab::at(format!("http://{}", served.address));
    let row = |n: usize| format!("SITE-{n:05},03/03/2025,08:00,03/03/2025,16:30\n");
    for rows in [30, 40_000] {
        let header = "Reference,StartDate,StartTime,EndDate,EndTime\n".to_owned();
        let data: String = [header].into_iter().chain((1..=rows).map(row)).collect();
        let page = post(&tab, &part("\"data\"; filename=\"a.csv\"", &data)).await;
        assert!(page.status == 200 && page.says("No errors."), "{rows}: {}", page.text.len());
        assert!(page.says("The first 10 rows"), "{rows}: {}", page.text.len());
        let (_, shown) = page.text.split_once("class=\"seen\"").expect("a table");
        let (shown, _) = shown.split_once("</table>").expect("its end");
        assert_eq!(shown.matches("<tr>").count(), 11, "{shown}");
        assert!(shown.contains("SITE-00010") && shown.contains("EndTime"), "{shown}");
    }
    let wrong = part("\"data\"; filename=\"a.csv\"", &GOOD.replace("08:00", "8"));
    assert!(!post(&tab, &wrong).await.says("The first 10 rows"));
}
