/* The few functions that Visdom's page calls in scripts it normally fetches from the internet
   (jQuery, Bootstrap, layout-bin-packer). Served by pytracking_et/live/visdom_server.py in place
   of a script that is not installed. Plots need Plotly and are sent as pictures instead. */
(function () {
  "use strict";

  // Panels side by side on shelves, left to right, then down.
  function ShelfFirst(rectangles, columns) {
    this.content = rectangles;
    this.columns = columns;
  }
  ShelfFirst.prototype.position = function (wanted, columns) {
    var width = columns || this.columns, x = 0, y = 0, shelf = 0;
    for (var index = 0; index < this.content.length; index++) {
      var item = this.content[index];
      if (x > 0 && x + item.width > width) { x = 0; y += shelf; shelf = 0; }
      if (index === wanted) { break; }
      x += item.width;
      shelf = Math.max(shelf, item.height);
    }
    return { x: x, y: y };
  };
  window.Bin = window.Bin || { ShelfFirst: ShelfFirst };

  // The page calls $("#button").attr(...).tooltip(...) and the like: accepted, without effect.
  function nothing() { return chain; }
  var chain = { attr: nothing, tooltip: nothing, on: nothing, off: nothing, ready: nothing };
  function $() { return chain; }
  $.extend = Object.assign;
  $.post = function (address, data) {
    var answer = fetch(address, { method: "POST", body: data }).then(function (response) {
      return response.text();
    });
    answer.done = function (action) { answer.then(action); return answer; };
    return answer;
  };
  window.$ = window.jQuery = window.jQuery || $;
})();
