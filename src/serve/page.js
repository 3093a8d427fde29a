"use strict";
(function () {
  var wait = 5000, most = 60000, now = wait;
  function again() { setTimeout(update, document.hidden ? most : now); }
  function update() {
    if (document.hidden) { again(); return; }
    fetch(location.pathname, { cache: "no-store", credentials: "same-origin" }).then(function (answer) {
      if (!answer.ok) { throw new Error(String(answer.status)); }
      return answer.text();
    }).then(function (text) {
      var page = new DOMParser().parseFromString(text, "text/html");
      ["header", "main"].forEach(function (name) {
        var fresh = page.querySelector(name), old = document.querySelector(name);
        if (fresh && old) { old.replaceWith(document.importNode(fresh, true)); }
      });
      now = wait;
    }).catch(function () {
      var live = document.getElementById("live");
      if (live) { live.textContent = "no answer from ddbwatch: what you see is old"; live.className = "pill bad"; }
      now = Math.min(now * 2, most);
    }).then(again);
  }
  document.addEventListener("visibilitychange", function () { if (!document.hidden) { update(); } });
  again();
}());
