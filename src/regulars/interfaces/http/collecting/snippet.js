/* Regulars: sends what happens on a page to your own server.
 *   <script async src="https://collect.example.com/v1/regulars.js" data-key="rg_write_..."></script>
 *   regulars.track("sign_up", {plan: "pro"}); regulars.identify("user-7", {plan: "pro"}); regulars.reset();
 * data-url: another server than the script's; data-auto="off": no page_view by itself; data-cookies="off": remembers
 * nobody beyond the page; data-search="all": page views keep the whole query and referrer, with whatever is in them.
 * Ids are made here, so that sending again counts nothing twice.
 */
(function (w, d) {
  "use strict";
  var script = d.currentScript || {}, data = script.dataset || {}, early = (w.regulars && w.regulars.q) || [];
  var url = (data.url || (script.src || "").replace(/\/v1\/regulars\.js.*$/, "")) + "/v1/batch";
  var key = data.key, keep = data.cookies !== "off", queue = [], flying = [], timer, failures = 0, alone = 0;
  var CAMPAIGN = /^(utm_(source|medium|campaign|term|content)|gclid|fbclid|msclkid|ref)=/;
  var MOST = 500, BATCH = 50;

  function id() {
    if (w.crypto && crypto.randomUUID) return crypto.randomUUID();
    var bytes = crypto.getRandomValues(new Uint8Array(16)), text = "";
    for (var i = 0; i < 16; i++) text += (bytes[i] + 256).toString(16).slice(1);
    return text;
  }
  function load(name) { try { return keep ? localStorage.getItem("regulars." + name) : null; } catch (e) { return null; } }
  function store(name, value) {
    try {
      if (!keep) return;
      if (value === null) localStorage.removeItem("regulars." + name); else localStorage.setItem("regulars." + name, value);
    } catch (e) { /* private windows have no storage; the page goes on with what it has in memory */ }
  }
  var anonymous = load("anonymous") || id(), user = load("user");
  store("anonymous", anonymous);

  function body(events) {
    var around = { sent_at: new Date().toISOString(), events: events };
    if (key) around.api_key = key;
    return JSON.stringify(around);
  }
  function later(ms) { if (!timer) timer = setTimeout(send, ms); }
  function next(events) { return events.slice(0, alone ? 1 : BATCH); }
  function without(events, gone) { return events.filter(function (each) { return gone.indexOf(each) < 0; }); }
  function send() {
    timer = 0;
    if (flying.length || !queue.length) return;
    var events = flying = next(queue);
    // text/plain needs no preflight request.
    fetch(url, { method: "POST", body: body(events), headers: { "Content-Type": "text/plain" }, credentials: "omit" })
      .then(function (answer) {
        if (answer.status === 429 || answer.status === 408 || answer.status >= 500) throw answer.status;
        return answer.text().then(function (told) {
          failures = 0;
          // Refused as a whole, and not event by event: one of them is to blame, so each goes on its own.
          var whole = answer.status === 413 || (answer.status === 400 && told.indexOf('"rejected"') < 0);
          if (whole && events.length > 1) alone = events.length;
          else {
            if (alone) alone--;
            queue = without(queue, events);
          }
        });
      })
      .catch(function () { failures++; })
      .then(function () {
        flying = [];
        if (queue.length) later(failures ? Math.min(30000, 500 * Math.pow(2, failures)) * (0.5 + Math.random() / 2) : 0);
      });
  }
  function leave() {
    // What is on its way may arrive twice; its id makes it count once. It stays in the queue until it is answered.
    var rest = queue;
    while (rest.length) {
      var events = next(rest);
      // A browser takes 64 KiB of beacons at once, and says whether it has.
      while (!navigator.sendBeacon(url, body(events))) {
        if (events.length === 1) return;
        events = events.slice(0, events.length >> 1);
      }
      if (alone) alone--;
      rest = without(rest, events);
      queue = without(queue, without(events, flying));
    }
  }
  function track(type, properties, more) {
    var event = {
      event_id: id(), event_type: type, anonymous_id: anonymous, timestamp: new Date().toISOString(),
      context: location.pathname
    };
    if (user) event.user_id = user;
    if (properties) event.properties = properties;
    for (var name in more) event[name] = more[name];
    if (queue.length < MOST) queue.push(event);
    later(300);
    return event.event_id;
  }
  function page(properties) {
    var about = { title: d.title, referrer: d.referrer, search: location.search };
    if (data.search !== "all") {
      // Links hold tokens and addresses of people; only where somebody came from is kept.
      var kept = about.search.slice(1).split("&").filter(function (each) { return CAMPAIGN.test(each); });
      about.search = kept.length ? "?" + kept.join("&") : "";
      about.referrer = about.referrer.split(/[?#]/)[0];
    }
    for (var name in properties) about[name] = properties[name];
    return track("page_view", about);
  }
  var api = {
    track: track,
    page: page,
    identify: function (who, attributes) {
      store("user", (user = String(who)));
      return track("identify", null, { user: attributes || {} });
    },
    reset: function () {
      user = null;
      anonymous = id();
      store("user", null);
      store("anonymous", anonymous);
    },
    flush: send
  };
  w.regulars = api;
  early.forEach(function (call) { api[call[0]].apply(api, [].slice.call(call, 1)); });
  if (data.auto !== "off") page();
  d.addEventListener("visibilitychange", function () { if (d.visibilityState === "hidden") leave(); });
  w.addEventListener("pagehide", leave);
})(window, document);
