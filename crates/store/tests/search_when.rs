//! What questions mean by their words about time.

#![allow(clippy::unwrap_used)]

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use chrysalis_store::search::dates::{DateWord, date_words};
use chrysalis_store::search::when::{
    Direction, EXPRESSIONS_MAX, Expression, Firmness, Interval, Kind, Wants, asks_for_time, fit, mentioned, narrow,
    parse, wants,
};
use proptest::prelude::*;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// The moment of "2023-05-08" or "2023-05-08 14:30" in UTC.
fn at(written: &str) -> i64 {
    let day = || NaiveDate::parse_from_str(written, "%Y-%m-%d").unwrap().and_hms_opt(0, 0, 0).unwrap();
    let time = NaiveDateTime::parse_from_str(written, "%Y-%m-%d %H:%M").unwrap_or_else(|_| day());
    time.and_utc().timestamp_millis()
}

/// The reference of all tables: a Monday.
fn now() -> i64 {
    at("2023-05-08 12:00")
}

fn written(at_ms: i64) -> String {
    if at_ms == i64::MIN || at_ms == i64::MAX {
        return String::new();
    }
    let moment = DateTime::from_timestamp_millis(at_ms).unwrap().naive_utc();
    let (day, time) = (moment.date().to_string(), moment.time().to_string());
    if at_ms % DAY == 0 { day } else { format!("{day} {}", &time[..5]) }
}

/// Expressions as "words = start..end | start..end", or "words = every ..." for those that come again.
fn read(question: &str) -> Vec<String> {
    parse(question, now(), 0).iter().map(shown).collect()
}

fn shown(expression: &Expression) -> String {
    let intervals: Vec<String> =
        expression.intervals().iter().map(|one| format!("{}..{}", written(one.start), written(one.end))).collect();
    if expression.recurs() {
        return expression.describe().replacen(": ", " = ", 1);
    }
    format!("{} = {}", expression.words, intervals.join(" | "))
}

/// Every line is a question and the expressions in it, parted by " => " and " ; ".
fn check(table: &str) {
    let lines: Vec<&str> = table.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    for line in lines {
        let (question, meant) = line.split_once(" => ").unwrap();
        assert_eq!(read(question).join(" ; "), meant, "{question}");
    }
}

#[test]
fn days_count_from_the_reference() {
    check(
        r"
        What did I do yesterday? => yesterday = 2023-05-07..2023-05-08
        Where was I the day before yesterday? => the day before yesterday = 2023-05-06..2023-05-07
        What are we doing tomorrow? => tomorrow = 2023-05-09..2023-05-10
        And the day after tomorrow? => the day after tomorrow = 2023-05-10..2023-05-11
        What did I eat today? => today = 2023-05-08..2023-05-09
        What happened this morning? => this morning = 2023-05-08 05:00..2023-05-08 12:00
        Who called last night? => last night = 2023-05-07 18:00..2023-05-08 06:00
        What happens tonight? => tonight = 2023-05-08 18:00..2023-05-09 06:00
        What did he say yesterday evening? => yesterday evening = 2023-05-07 17:00..2023-05-08
        Who called yesterday at 3 pm? => yesterday at 3 pm = 2023-05-07 14:30..2023-05-07 16:00
        ",
    );
}

#[test]
fn weeks_months_and_years_are_those_of_the_calendar() {
    check(
        r"
        What did we decide last week? => last week = 2023-05-01..2023-05-08
        What happened the week before last? => the week before last = 2023-04-24..2023-05-01
        What is planned for next week? => for next week = 2023-05-15..2023-05-22
        What did she do last weekend? => last weekend = 2023-05-06..2023-05-08
        What will she do next weekend? => next weekend = 2023-05-13..2023-05-15 | 2023-05-20..2023-05-22
        What did we buy last month? => last month = 2023-04-01..2023-05-01
        What is next month's plan? => next month = 2023-06-01..2023-07-01
        What is due this quarter? => this quarter = 2023-04-01..2023-07-01
        Where did we travel last year? => last year = 2022-01-01..2023-01-01
        What happened earlier this week? => earlier this week = 2023-05-08..2023-05-08 12:00
        What happened so far this year? => so far this year = 2023-01-01..2023-05-08 12:00
        What happened at the beginning of last year? => at the beginning of last year = 2022-01-01..2022-05-03
        What happened in the past week? => in the past week = 2023-05-01..2023-05-09
        What happened the past weekend? => the past weekend = 2023-05-06..2023-05-08
        What happened in the last 3 months? => in the last 3 months = 2023-02-08..2023-05-09
        What happens in the next two days? => in the next two days = 2023-05-08 12:00..2023-05-11
        ",
    );
}

#[test]
fn weekdays_may_be_the_last_or_the_next() {
    check(
        r"
        What did I do last Friday? => last Friday = 2023-05-05..2023-05-06
        What did I do on Friday? => on Friday = 2023-05-05..2023-05-06 | 2023-05-12..2023-05-13
        What will happen next Friday? => next Friday = 2023-05-12..2023-05-13 | 2023-05-19..2023-05-20
        What do we do this Friday? => this Friday = 2023-05-12..2023-05-13
        On Monday? => On Monday = 2023-05-01..2023-05-02 | 2023-05-08..2023-05-09 | 2023-05-15..2023-05-16
        What did I say on Monday of last week? => on Monday of last week = 2023-05-01..2023-05-02
        Who sang last Friday night? => last Friday night = 2023-05-05 18:00..2023-05-06 06:00
        What did we do on the 5th? => on the 5th = 2023-05-05..2023-05-06 | 2023-06-05..2023-06-06
        ",
    );
}

#[test]
fn dates_are_read_in_the_ways_people_write_them() {
    check(
        r"
        Who had dinner on May 7th, 2023? => on May 7th, 2023 = 2023-05-07..2023-05-08
        Who had dinner on 7 May 2023? => on 7 May 2023 = 2023-05-07..2023-05-08
        Who had dinner on the 7th of May, 2023? => on the 7th of May, 2023 = 2023-05-07..2023-05-08
        Who had dinner on Sunday, 7 May 2023? => on Sunday, 7 May 2023 = 2023-05-07..2023-05-08
        Who was there on Sept. 5, 2022? => on Sept. 5, 2022 = 2022-09-05..2022-09-06
        What was on 7 may? => on 7 may = 7 May of every year
        What was on the first of May? => on the first of May = 1 May of every year
        What was on 2023-05-07? => on 2023-05-07 = 2023-05-07..2023-05-08
        What was on 7.5.2023? => on 7.5.2023 = 2023-05-07..2023-05-08
        What was on 5.25.2023? => on 5.25.2023 = 2023-05-25..2023-05-26
        What was on 5/7/2023? => on 5/7/2023 = 2023-07-05..2023-07-06 | 2023-05-07..2023-05-08
        What was on 5/25/23? => on 5/25/23 = 2023-05-25..2023-05-26
        What was at 2023-05-07T10:30:00+02:00? => at 2023-05-07T10:30:00+02:00 = 2023-05-07 08:30..2023-05-07 08:31
        What was on 7 May 2023 at 15:30? => on 7 May 2023 at 15:30 = 2023-05-07 15:00..2023-05-07 16:30
        What was on May 7,2023? => on May 7,2023 = 2023-05-07..2023-05-08
        What was on 29 February 2024? => on 29 February 2024 = 2024-02-29..2024-03-01
        What was on 29 February 2023? => February 2023 = 2023-02-01..2023-03-01
        ",
    );
}

#[test]
fn months_seasons_and_years_are_named() {
    check(
        r"
        What did I do in May 2023? => in May 2023 = 2023-05-01..2023-06-01
        What did I do in May last year? => in May last year = 2022-05-01..2022-06-01
        What did I do last May? => last May = 2022-05-01..2022-06-01
        What happened in 2023-04? => in 2023-04 = 2023-04-01..2023-05-01
        What happened in mid-March 2023? => in mid-March 2023 = 2023-03-11..2023-03-22
        What happened at the end of March 2022? => at the end of March 2022 = 2022-03-22..2022-04-01
        What happened in late 2022? => in late 2022 = 2022-09-01..2023-01-01
        What happened in 2022? => in 2022 = 2022-01-01..2023-01-01
        Which trips (2022) were long? => 2022 = 2022-01-01..2023-01-01
        Music of the nineties? => the nineties = 1990-01-01..2000-01-01
        Music in the 80s? => in the 80s = 1980-01-01..1990-01-01
        Revenue in Q3 2022? => in Q3 2022 = 2022-07-01..2022-10-01
        Revenue in the third quarter of 2022? => in the third quarter of 2022 = 2022-07-01..2022-10-01
        What did we do in the summer of 2022? => in the summer of 2022 = 2022-06-01..2022-09-01
        What did we do last summer? => last summer = 2022-06-01..2022-09-01
        What did we do in winter 2022? => in winter 2022 = 2022-12-01..2023-03-01 | 2021-12-01..2022-03-01
        What did we do at Christmas 2022? => at Christmas 2022 = 2022-12-24..2022-12-27
        What did we do last Christmas? => last Christmas = 2022-12-24..2022-12-27
        What did we do on Easter 2023? => on Easter 2023 = 2023-04-07..2023-04-11
        What did we do on Thanksgiving 2022? => on Thanksgiving 2022 = 2022-11-24..2022-11-25
        ",
    );
}

#[test]
fn what_names_no_year_comes_again() {
    check(
        r"
        What do I do in May? => in May = May of every year
        What was on May 7? => on May 7 = 7 May of every year
        What happened in early March? => in early March = 1 March to 10 March of every year
        What are our plans for the summer? => for the summer = June to August of every year
        What do we do at Christmas? => at Christmas = 24 December to 26 December of every year
        Where do we go every Easter? => every Easter = every Easter
        What do I do on Mondays? => on Mondays = every Monday
        What do I do every Monday? => every Monday = every Monday
        What do we do every weekend? => every weekend = every weekend
        Who calls at 3:15 pm? => at 3:15 pm = 14:45 to 16:15 of every day
        Who called at 3pm? => at 3pm = 14:30 to 16:00 of every day
        Who works from 9am to 5pm? => from 9am to 5pm = 09:00 to 17:00 of every day
        What do I eat in the morning? => in the morning = 05:00 to 12:00 of every day
        ",
    );
}

#[test]
fn what_is_so_long_ago_is_the_wider_the_longer_ago() {
    check(
        r"
        What did I say 3 days ago? => 3 days ago = 2023-05-05..2023-05-06
        What did I say three weeks ago? => three weeks ago = 2023-04-14..2023-04-21
        What did I say a couple of weeks ago? => a couple of weeks ago = 2023-04-14..2023-04-28
        What did I say two or three weeks ago? => two or three weeks ago = 2023-04-14..2023-04-28
        What did I say 2-3 weeks ago? => 2-3 weeks ago = 2023-04-14..2023-04-28
        What did I say a few months ago? => a few months ago = 2022-11-23..2023-03-24
        What did I say half a year ago? => half a year ago = 2022-10-24..2022-11-24
        Where did she move from 4 years ago? => 4 years ago = 2018-11-07..2019-11-07
        What did I say two weekends ago? => two weekends ago = 2023-04-29..2023-05-01
        What did I say an hour ago? => an hour ago = 2023-05-08 10:30..2023-05-08 11:30
        What happens two weeks from now? => two weeks from now = 2023-05-19..2023-05-26
        ",
    );
}

#[test]
fn times_hang_on_other_times() {
    check(
        r"
        What was the week before 9 June 2023? => the week before 9 June 2023 = 2023-06-02..2023-06-09
        What was the week of 23 August 2023? => the week of 23 August 2023 = 2023-08-21..2023-08-28
        What was the weekend of 3 June 2023? => the weekend of 3 June 2023 = 2023-06-03..2023-06-05
        What was the weekend of 3 June? => the weekend of 3 June = 2022-06-04..2022-06-06 | 2023-06-03..2023-06-05
        What was the weekend before 17 July 2023? => the weekend before 17 July 2023 = 2023-07-15..2023-07-17
        What was the weekend before 22 July 2023? => the weekend before 22 July 2023 = 2023-07-15..2023-07-17
        What was the weekend after 22 July 2023? => the weekend after 22 July 2023 = 2023-07-29..2023-07-31
        What was the Friday before 15 July 2023? => the Friday before 15 July 2023 = 2023-07-14..2023-07-15
        What was two weekends before 17 July 2023? => two weekends before 17 July 2023 = 2023-07-08..2023-07-10
        What was two weeks before 11 August 2023? => two weeks before 11 August 2023 = 2023-07-25..2023-08-01
        What was the month before May 2023? => the month before May 2023 = 2023-04-01..2023-05-01
        What was the night of 5 May 2023? => the night of 5 May 2023 = 2023-05-05 18:00..2023-05-06 06:00
        What was in the first weekend of August 2023? => in the first weekend of August 2023 = 2023-08-05..2023-08-07
        What was in the last week of March 2023? => in the last week of March 2023 = 2023-03-25..2023-04-01
        ",
    );
}

#[test]
fn ranges_reach_from_one_time_to_another() {
    check(
        r"
        What happened from March to May 2023? => from March to May 2023 = 2023-03-01..2023-06-01
        What happened from November to February 2023? => from November to February 2023 = 2022-11-01..2023-03-01
        What happened between May 2022 and June 2023? => between May 2022 and June 2023 = 2022-05-01..2023-07-01
        What happened between March and May? => between March and May = March to May of every year
        What happened between 3 and 5 June 2023? => between 3 and 5 June 2023 = 2023-06-03..2023-06-06
        What happened 3-5 June 2023? => 3-5 June 2023 = 2023-06-03..2023-06-06
        What happened June 3 to 5, 2023? => June 3 to 5, 2023 = 2023-06-03..2023-06-06
        What happened June 3–5, 2023? => June 3–5, 2023 = 2023-06-03..2023-06-06
        What happened from 2019 to 2021? => from 2019 to 2021 = 2019-01-01..2022-01-01
        What happened 2019-2021? => 2019-2021 = 2019-01-01..2022-01-01
        What happened before 2020? => before 2020 = ..2020-01-01
        What happened after 3 March 2023? => after 3 March 2023 = 2023-03-04..
        What has changed since last week? => since last week = 2023-05-01..
        What has changed since March? => since March = 2023-03-01..
        What must be done by Friday? => by Friday = ..2023-05-13
        What has happened since Friday? => since Friday = 2023-05-05..
        What happens from 9 to 5 May? => 5 May = 5 May of every year
        What must be done until next month? => until next month = ..2023-07-01
        ",
    );
}

#[test]
fn some_words_tell_a_time_loosely() {
    check(
        r"
        What did she paint recently? => recently = 2023-04-08..2023-05-09
        What has she been doing lately? => lately = 2023-03-09..2023-05-09
        The shelter I help at lately? => lately = 2023-03-09..2023-05-09
        What did he say the other day? => the other day = 2023-04-24..2023-05-08
        What happens in two weeks? => in two weeks = 2023-05-19..2023-05-26
        ",
    );
}

#[test]
fn ordinary_words_and_numbers_are_no_times() {
    let ordinary = [
        "May I ask a question?",
        "I may 7 times go there.",
        "march on the city",
        "the second idea",
        "the second may help, step 2 may fail",
        "the first march past the house",
        "He sat down in the sun",
        "mar the surface",
        "2023 items were sold",
        "in 2023 items",
        "He ran 2000 meters after 2000 steps",
        "about 2000 people",
        "I paid $2000.",
        "order 1999",
        "room 2021",
        "version 2.0.2023",
        "call 555-2023",
        "on the 5th floor",
        "April said hello with June and August",
        "the day I left",
        "the week went well",
        "once upon a time",
        "first place, last idea",
        "a fall from the roof",
        "the spring broke",
        "she works from 9 to 5",
        "we led in the third quarter",
        "How long ago was that?",
        "it cost 1,999 in all",
        "3 days of rain",
        "before lunch and after the trip",
        "between you and me",
        "hier ist es schön",
        "Wat is hier gebeurd?",
        "guten Morgen",
        "Mars is a planet and mayo is a sauce",
        "in Mars we trust",
        "non ho mai visto",
        "The 1.2.2023.4 address",
    ];
    for text in ordinary {
        assert_eq!(read(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn german_words_are_read() {
    check(
        r"
        Was habe ich gestern gemacht? => gestern = 2023-05-07..2023-05-08
        Was habe ich vorgestern gemacht? => vorgestern = 2023-05-06..2023-05-07
        Was machen wir morgen? => morgen = 2023-05-09..2023-05-10
        Was war letzte Woche? => letzte Woche = 2023-05-01..2023-05-08
        Was geschah im letzten Jahr? => im letzten Jahr = 2022-01-01..2023-01-01
        Was ist nächsten Monat? => nächsten Monat = 2023-06-01..2023-07-01
        Wo war ich letzten Freitag? => letzten Freitag = 2023-05-05..2023-05-06
        Wo war ich im März 2023? => im März 2023 = 2023-03-01..2023-04-01
        Wo war ich am 7. Mai 2023? => am 7. Mai 2023 = 2023-05-07..2023-05-08
        Was habe ich vor drei Wochen gesagt? => vor drei Wochen = 2023-04-14..2023-04-21
        Was war seit dem 3. März 2023? => seit dem 3. März 2023 = 2023-03-03..
        Was war zwischen dem 3. und 5. Juni 2023? => zwischen dem 3. und 5. Juni 2023 = 2023-06-03..2023-06-06
        ",
    );
}

#[test]
fn french_words_are_read() {
    check(
        r"
        Qu'est-ce que j'ai fait hier ? => hier = 2023-05-07..2023-05-08
        Qu'ai-je fait avant-hier ? => avant-hier = 2023-05-06..2023-05-07
        Que fait-on demain ? => demain = 2023-05-09..2023-05-10
        Que fait-on aujourd’hui ? => aujourd’hui = 2023-05-08..2023-05-09
        Où étais-je la semaine dernière ? => la semaine dernière = 2023-05-01..2023-05-08
        Où étais-je l'année dernière ? => l'année dernière = 2022-01-01..2023-01-01
        Où irons-nous le mois prochain ? => le mois prochain = 2023-06-01..2023-07-01
        Où étais-je lundi dernier ? => lundi dernier = 2023-05-01..2023-05-02
        Où étais-je le 7 mai 2023 ? => le 7 mai 2023 = 2023-05-07..2023-05-08
        Où étais-je en août 2022 ? => en août 2022 = 2022-08-01..2022-09-01
        Où étais-je en mars ? => en mars = March of every year
        Où étais-je il y a trois jours ? => il y a trois jours = 2023-05-05..2023-05-06
        ",
    );
}

#[test]
fn spanish_words_are_read() {
    check(
        r"
        ¿Qué hice ayer? => ayer = 2023-05-07..2023-05-08
        ¿Qué hice antes de ayer? => antes de ayer = 2023-05-06..2023-05-07
        ¿Qué haremos mañana? => mañana = 2023-05-09..2023-05-10
        ¿Qué hice la semana pasada? => la semana pasada = 2023-05-01..2023-05-08
        ¿Qué hice el año pasado? => el año pasado = 2022-01-01..2023-01-01
        ¿Qué haré el próximo mes? => el próximo mes = 2023-06-01..2023-07-01
        ¿Qué hice el lunes pasado? => el lunes pasado = 2023-05-01..2023-05-02
        ¿Qué hice el 5 de mayo de 2023? => el 5 de mayo de 2023 = 2023-05-05..2023-05-06
        ¿Qué hice en mayo? => en mayo = May of every year
        ¿Qué hice hace dos semanas? => hace dos semanas = 2023-04-21..2023-04-28
        ",
    );
}

#[test]
fn italian_words_are_read() {
    check(
        r"
        Cosa ho fatto ieri? => ieri = 2023-05-07..2023-05-08
        Cosa farò domani? => domani = 2023-05-09..2023-05-10
        Cosa ho fatto la settimana scorsa? => la settimana scorsa = 2023-05-01..2023-05-08
        Cosa ho fatto l'anno scorso? => l'anno scorso = 2022-01-01..2023-01-01
        Cosa ho fatto lunedì scorso? => lunedì scorso = 2023-05-01..2023-05-02
        Cosa ho fatto il 7 maggio 2023? => il 7 maggio 2023 = 2023-05-07..2023-05-08
        Cosa ho fatto due giorni fa? => due giorni fa = 2023-05-06..2023-05-07
        ",
    );
}

#[test]
fn portuguese_words_are_read() {
    check(
        r"
        O que eu fiz ontem? => ontem = 2023-05-07..2023-05-08
        O que faremos depois de amanhã? => depois de amanhã = 2023-05-10..2023-05-11
        O que eu fiz na semana passada? => na semana passada = 2023-05-01..2023-05-08
        O que eu fiz no mês passado? => no mês passado = 2023-04-01..2023-05-01
        O que eu fiz em maio de 2023? => em maio de 2023 = 2023-05-01..2023-06-01
        O que eu fiz há três dias? => há três dias = 2023-05-05..2023-05-06
        O que eu fiz dois meses atrás? => dois meses atrás = 2023-02-21..2023-03-24
        ",
    );
}

#[test]
fn dutch_words_are_read() {
    check(
        r"
        Wat heb ik gisteren gedaan? => gisteren = 2023-05-07..2023-05-08
        Wat doen wij morgen? => morgen = 2023-05-09..2023-05-10
        Wat heb ik vorige week gedaan? => vorige week = 2023-05-01..2023-05-08
        Wat deden we vorig jaar? => vorig jaar = 2022-01-01..2023-01-01
        Wat doen we volgende maand? => volgende maand = 2023-06-01..2023-07-01
        Wat deden we in mei 2023? => in mei 2023 = 2023-05-01..2023-06-01
        Wat heb ik drie dagen geleden gedaan? => drie dagen geleden = 2023-05-05..2023-05-06
        ",
    );
}

#[test]
fn an_expression_says_where_it_stands_how_firm_it_is_and_what_it_means() {
    let question = "¿Größe? What changed since last week, or on 7 May 2023?";
    let found = parse(question, now(), 0);
    assert_eq!(
        found.iter().map(|one| &question[one.range.clone()]).collect::<Vec<_>>(),
        ["since last week", "on 7 May 2023"]
    );
    assert_eq!(
        (found[0].direction, found[0].kind, found[0].firmness),
        (Direction::Since, Kind::Span, Firmness::Relative)
    );
    assert_eq!((found[1].direction, found[1].kind, found[1].firmness), (Direction::Within, Kind::Day, Firmness::Exact));
    assert_eq!(found[0].describe(), "since last week: from 1 May 2023 on");
    assert_eq!(found[1].describe(), "on 7 May 2023: 7 May 2023");
}

#[test]
fn expressions_are_described_in_words() {
    let described = |question: &str| parse(question, now(), 0)[0].describe();
    assert_eq!(described("last week"), "last week: 1 May to 7 May 2023");
    assert_eq!(described("last winter"), "last winter: 1 December 2022 to 28 February 2023");
    assert_eq!(described("this morning"), "this morning: 8 May 2023 05:00 to 12:00");
    assert_eq!(described("last night"), "last night: 7 May 2023 18:00 to 8 May 2023 06:00");
    assert_eq!(described("on 5/7/2023"), "on 5/7/2023: 5 July 2023 or 7 May 2023");
    assert_eq!(described("before 2020"), "before 2020: before 1 January 2020");
}

#[test]
fn an_expression_gives_the_words_that_its_dates_share() {
    use DateWord::{Day, Month, Weekday, Year};
    let words = |question: &str| parse(question, now(), 0)[0].date_words();
    assert_eq!(words("in May 2023"), [Year(2023), Month(5)]);
    assert_eq!(words("yesterday"), [Year(2023), Month(5), Day(7), Weekday(7)]);
    assert_eq!(words("last year"), [Year(2022)]);
    assert_eq!(words("on May 7"), [Month(5), Day(7)]);
    assert_eq!(words("in early May"), [Month(5)]);
    assert_eq!(words("on Mondays"), [Weekday(1)]);
    assert_eq!(words("before 2020"), []);
    assert_eq!(words("on Friday"), []);
}

#[test]
fn firmness_goes_from_lately_to_a_date() {
    let firmness = |question: &str| parse(question, now(), 0)[0].firmness;
    let order = ["lately", "recently", "in May", "last week", "in May 2023", "on 7 May 2023"].map(firmness);
    assert!(order.is_sorted_by(|one, next| one < next), "{order:?}");
}

#[test]
fn days_begin_at_the_midnight_of_the_asker() {
    let late = at("2023-05-08 23:30");
    let start = |offset_minutes| parse("today", late, offset_minutes)[0].intervals()[0].start;
    assert_eq!(start(0), at("2023-05-08"));
    assert_eq!(start(120), at("2023-05-08 22:00"));
    assert_eq!(start(-300), at("2023-05-08 05:00"));
}

#[test]
fn times_that_come_again_match_each_time() {
    let matches = |question: &str, moment: &str| parse(question, now(), 0)[0].matches(at(moment));
    assert!(matches("in May", "1999-05-31 23:59") && !matches("in May", "1999-06-01"));
    assert!(matches("on Mondays", "2023-05-15") && !matches("on Mondays", "2023-05-16"));
    assert!(
        matches("in winter", "2020-02-29") && matches("in winter", "2020-12-01") && !matches("in winter", "2020-03-01")
    );
    assert!(
        matches("at Easter", "2024-03-31") && matches("at Easter", "2019-04-21") && !matches("at Easter", "2019-03-31")
    );
    assert!(matches("at 11:45pm", "2023-01-02 00:30") && !matches("at 11:45pm", "2023-01-02 01:30"));
}

#[test]
fn questions_for_a_time_are_told_from_others() {
    for question in [
        "When did Ines go to Lisbon?",
        "when is the launch",
        "Do you know when we met?",
        "What year did we move?",
        "On which day did he call?",
        "How long ago did he call?",
        "When Jon has lost his job?",
        "Wann war ich dort?",
        "Quand est-il parti ?",
        "¿Cuándo llegó?",
        "Quando siamo partiti?",
        "Wanneer was dat?",
    ] {
        assert!(asks_for_time(question), "{question}");
    }
    for question in [
        "What did I eat when I was in Lisbon?",
        "When I was in Lisbon, what did I eat?",
        "When Jon lost his job what did he do?",
        "How long is the bridge?",
        "What did Ines say last week?",
        "",
    ] {
        assert!(!asks_for_time(question), "{question}");
    }
}

#[test]
fn clear_words_ask_for_the_latest_or_the_earliest() {
    let asked = |questions: &[&str], wanted| {
        questions.iter().for_each(|question| assert_eq!(wants(question), wanted, "{question}"));
    };
    let latest = ["Where does he currently live?", "the latest plan", "Where is she now?", "When did I last see her?"];
    asked(&latest, Wants::Latest);
    asked(&["When did we first meet?", "the first time we met", "What was his job originally?"], Wants::Earliest);
    asked(
        &["the first idea", "first place", "last week", "What is her last name?", "When was the last week off?"],
        Wants::None,
    );
}

#[test]
fn a_fit_is_full_inside_and_falls_outside() {
    let asked = parse("What happened on 7 May 2023?", now(), 0);
    let fits: Vec<f64> = ["2023-05-07 08:00", "2023-05-08 12:00", "2023-05-10", "2023-06-10"]
        .map(|day| fit(&asked, at(day), &[]))
        .into();
    assert_eq!(fits[0], 1.0);
    assert!(fits.is_sorted_by(|one, next| one > next) && fits[3] < 0.01, "{fits:?}");

    let told_later = mentioned("Yesterday we went sailing", at("2023-05-08 09:00"), 0);
    assert_eq!(fit(&asked, at("2023-05-08 09:00"), &told_later), 1.0);
    let vague = mentioned("We sailed in 2023", at("2023-12-01"), 0);
    assert!(fit(&asked, at("2023-12-01"), &vague) < 0.1);

    let loosely = parse("What happened lately?", now(), 0);
    assert!(fit(&loosely, at("2011-01-01"), &[]) > 0.5);
    assert_eq!(fit(&[], now(), &[]), 1.0);
}

#[test]
fn longer_times_fit_farther_around_them() {
    let at_fit = |question: &str, day: &str| fit(&parse(question, now(), 0), at(day), &[]);
    assert!(at_fit("in 2022", "2023-01-10") > at_fit("in December 2022", "2023-01-10"));
    assert!(at_fit("in December 2022", "2023-01-10") > at_fit("on 31 December 2022", "2023-01-10"));
    assert!(at_fit("in December", "2019-12-10") > at_fit("in December", "2019-10-10"));
}

#[test]
fn only_firm_times_narrow() {
    let narrowed =
        |question: &str| narrow(&parse(question, now(), 0)).map(|(start, end)| (written(start), written(end)));
    let days = |start: &str, end: &str| Some((start.to_owned(), end.to_owned()));
    assert_eq!(narrowed("on 7 May 2023"), days("2023-05-05 18:00", "2023-05-09 06:00"));
    assert_eq!(narrowed("since 2020"), days("2019-12-25", ""));
    assert!(narrowed("last week").is_some() && narrowed("in May 2023").is_some());
    for loose in ["recently", "in May", "at 3pm", "in two weeks", "hello"] {
        assert_eq!(narrowed(loose), None, "{loose}");
    }
}

#[test]
fn a_memory_mentions_firm_and_bounded_times() {
    let said_at = at("2023-05-08 20:00");
    let yesterday = Interval { start: at("2023-05-07"), end: at("2023-05-08") };
    assert_eq!(mentioned("I went there yesterday, as every Sunday lately", said_at, 0), [yesterday]);
    assert_eq!(mentioned("Since 2019 I have lived here", said_at, 0), []);
}

#[test]
fn hostile_texts_are_bounded() {
    let long = "on 7 May 2023, ".repeat(20_000);
    assert_eq!(parse(&long, now(), 0).len(), EXPRESSIONS_MAX);
    for word in ["so far ", "the ", "between 3 ", "before ", "1", "a few ", "May-", "last ", "\u{301}", "“"] {
        let _ = parse(&word.repeat(100_000), i64::MAX, i32::MAX);
    }
}

/// Words that mean something to the parser, so that random sentences of them reach its corners.
const PARTS: &[&str] = &[
    "last",
    "next",
    "this",
    "the",
    "a",
    "few",
    "week",
    "weekend",
    "months",
    "year",
    "years",
    "ago",
    "before",
    "after",
    "since",
    "until",
    "between",
    "and",
    "from",
    "to",
    "in",
    "on",
    "of",
    "at",
    "May",
    "march",
    "Friday",
    "Sat",
    "night",
    "yesterday",
    "tomorrow",
    "morning",
    "summer",
    "winter",
    "Christmas",
    "Easter",
    "Q3",
    "early",
    "late",
    "end",
    "2023",
    "7",
    "31",
    "31st",
    "29",
    "February",
    "99999",
    "5/7/2023",
    "7.5.2023",
    "2023-05-07T10:30:00+02:00",
    "9999-12-31",
    "1-1-1000",
    "3pm",
    "90s",
    "recently",
    "hours",
    "decade",
    "centuries",
    ",",
    ".",
    "-",
    "vor",
    "il y a",
    "hace",
    "fa",
    "minutes",
    "past",
    "earlier",
    "later",
    "every",
    "Mondays",
    "quarter",
    "third",
    "first",
    "half",
    "about",
    "23:59",
];

fn sentence() -> impl Strategy<Value = String> {
    let words = proptest::collection::vec(proptest::sample::select(PARTS), 0..14).prop_map(|words| words.join(" "));
    prop_oneof![words, ".{0,60}"]
}

fn reference() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), -70_000_000_000_000_i64..260_000_000_000_000, Just(i64::MIN), Just(i64::MAX)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_text_at_every_time_gives_ordered_intervals(text in sentence(), reference in reference(), offset in any::<i32>(), other in any::<i64>()) {
        let found = parse(&text, reference, offset);
        let mut end = 0;
        for expression in &found {
            prop_assert!(end <= expression.range.start && expression.range.start < expression.range.end);
            end = expression.range.end;
            prop_assert_eq!(&text[expression.range.clone()], &expression.words);
            prop_assert!(expression.intervals().iter().all(|one| one.start < one.end), "{:?}", expression);
            prop_assert!(!expression.describe().is_empty());
            prop_assert!(!expression.matches(other) || fit(std::slice::from_ref(expression), other, &[]) == 1.0);
        }
        let intervals = mentioned(&text, other, offset);
        prop_assert!((0.0..=1.0).contains(&fit(&found, other, &intervals)));
        prop_assert!(narrow(&found).is_none_or(|(start, end)| start < end));
        let _ = (asks_for_time(&text), wants(&text));
    }

    #[test]
    fn the_words_of_a_day_are_those_under_which_it_is_indexed(at_ms in -60_000_000_000_000_i64..250_000_000_000_000) {
        prop_assert_eq!(parse("today", at_ms, 0)[0].date_words(), date_words(at_ms));
    }

    #[test]
    fn days_move_with_the_reference(days in -3_000_i64..3_000, question in proptest::sample::select(vec![
        "yesterday", "today", "tomorrow night", "3 days ago", "two weeks ago", "the day before yesterday", "the past week",
        "last night", "this morning", "two hours ago", "in the last 10 days",
    ])) {
        let [before, after] = [0, days * DAY].map(|shift| parse(question, now() + shift, 60)[0].intervals().to_vec());
        let moved: Vec<Interval> =
            before.iter().map(|one| Interval { start: one.start + days * DAY, end: one.end + days * DAY }).collect();
        prop_assert_eq!(moved, after);
    }
}
