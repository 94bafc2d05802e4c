import { load, moment, use } from "/static/js/i18n.js";
import { same } from "./same.js";

const page = document.documentElement.dataset;

/** @param {string} place of the page's event, in Berlin */
async function told(language, value, place) {
  await load(language, "/static");
  Object.assign(page, { zone: "Europe/Berlin", place });
  try {
    return moment(value, "Europe/Berlin");
  } finally {
    delete page.zone;
    delete page.place;
    await load("en", "/static");
  }
}

// T9: the sentences of tests/unit/test_event_time.py, which the server writes.
export async function aMomentIsWrittenAsTheServerWritesIt() {
  same(await told("en", "2026-10-10T19:30:00+02:00", "Berlin"), "Saturday, 10 October 2026, 19:30 (Berlin)");
  same(await told("ko", "2026-10-10T19:30:00+02:00", "베를린"), "2026년 10월 10일 토요일 19:30 (베를린)");
}

export async function twoMomentsOfTheSameWallTimeAreToldApart() {
  same(await told("en", "2026-10-25T01:30:00+01:00", "Berlin"), "Sunday, 25 October 2026, 02:30 (Berlin, GMT+02:00)");
  same(await told("en", "2026-10-25T02:30:00+01:00", "Berlin"), "Sunday, 25 October 2026, 02:30 (Berlin, GMT+01:00)");
}

// The console tells of sales anywhere: its catalogue has the cities' names, in aliases of zones as well.
export async function theConsoleNamesEveryCityInItsLanguage() {
  const own = async (language) => {
    const [common, console] = await Promise.all(
      [language, `ops.${language}`].map(async (name) => (await fetch(`/static/i18n/${name}.json`)).json()),
    );
    await use(language, { ...common, ...console });
  };
  const at = (zone) => /\((.*)\)/.exec(moment("2026-10-10T19:30:00Z", zone))[1];
  const zones = ["Asia/Seoul", "Asia/Calcutta", "America/New_York", "America/Argentina/Buenos_Aires", "UTC"];
  try {
    await own("ko");
    same(zones.map(at), ["서울", "콜카타", "뉴욕", "부에노스 아이레스", "UTC"]);
    await own("en");
    same(zones.map(at), ["Seoul", "Kolkata", "New York", "Buenos Aires", "UTC"]);
  } finally {
    await load("en", "/static");
  }
}
