// What lines differ between two texts: Myers' O(ND) algorithm, with a bound on the work.

// So many differing lines are looked for; past that all between the common beginning and end counts as changed.
const MOST_DIFFERENCES = 1500;

// A list of {sign, line}: sign is " " for a line of both, "-" for one of the old, "+" for one of the new.
export function diffLines(oldText, newText) {
  const one = oldText.split("\n");
  const other = newText.split("\n");
  const least = Math.min(one.length, other.length);
  let start = 0;
  while (start < least && one[start] === other[start]) start += 1;
  let end = 0;
  while (end < least - start && one[one.length - 1 - end] === other[other.length - 1 - end]) end += 1;
  const shared = (line) => ({ sign: " ", line });
  return [
    ...one.slice(0, start).map(shared),
    ...middle(one.slice(start, one.length - end), other.slice(start, other.length - end)),
    ...one.slice(one.length - end).map(shared),
  ];
}

function middle(one, other) {
  const trail = forward(one, other);
  return trail ? backward(one, other, trail) : replaced(one, other);
}

function replaced(one, other) {
  return [
    ...one.map((line) => ({ sign: "-", line })),
    ...other.map((line) => ({ sign: "+", line })),
  ];
}

// The furthest point on each diagonal for each number of differences, up to the end of both; null if that is too far.
function forward(one, other) {
  const most = Math.min(one.length + other.length, MOST_DIFFERENCES);
  const furthest = new Int32Array(2 * most + 3);
  const trail = [];
  for (let differences = 0; differences <= most; differences += 1) {
    trail.push(furthest.slice());
    for (let diagonal = -differences; diagonal <= differences; diagonal += 2) {
      let x = isDown(furthest, diagonal, differences)
        ? furthest[placeOf(diagonal + 1, furthest)]
        : furthest[placeOf(diagonal - 1, furthest)] + 1;
      while (x < one.length && x - diagonal < other.length && one[x] === other[x - diagonal]) x += 1;
      // A step reads only the diagonals between those that it writes.
      furthest[placeOf(diagonal, furthest)] = x;
      if (x >= one.length && x - diagonal >= other.length) return trail;
    }
  }
  return null;
}

// The diagonal 0 is in the middle.
function placeOf(diagonal, furthest) {
  return diagonal + (furthest.length >> 1);
}

function isDown(furthest, diagonal, differences) {
  if (diagonal === -differences) return true;
  return diagonal !== differences
    && furthest[placeOf(diagonal - 1, furthest)] < furthest[placeOf(diagonal + 1, furthest)];
}

function backward(one, other, trail) {
  const lines = [];
  let x = one.length;
  let y = other.length;
  for (let differences = trail.length - 1; differences >= 0; differences -= 1) {
    const furthest = trail[differences];
    const diagonal = x - y;
    const down = isDown(furthest, diagonal, differences);
    const before = down ? diagonal + 1 : diagonal - 1;
    const beforeX = furthest[placeOf(before, furthest)];
    const beforeY = beforeX - before;
    while (x > beforeX && y > beforeY && x > 0 && y > 0) {
      lines.push({ sign: " ", line: one[x - 1] });
      x -= 1;
      y -= 1;
    }
    if (differences > 0) {
      lines.push(down ? { sign: "+", line: other[y - 1] } : { sign: "-", line: one[x - 1] });
    }
    x = beforeX;
    y = beforeY;
  }
  return lines.reverse();
}
