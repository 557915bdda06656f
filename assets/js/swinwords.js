/* What the Swin tab's stage says in words, in two languages: the step, a token under the pointer, a pair of the window. */
(() => {
  const number = (v) => glassbox.maps.number(v);
  const percent = (v) => `${number(100 * v)} %`;
  const named = (scene, token) => `(${Math.floor(token / scene.columns)}, ${token % scene.columns})`;

  const TELL = {
    picture: ({ scene }) => [
      `${scene.rows} × ${scene.columns} tokens of the picture. Click one, or move with the arrow keys; everything follows it.`,
      `图片的 ${scene.rows} × ${scene.columns} 个 token。点击一个，或用方向键移动；其余一切随之变化。`],
    roll: ({ scene }) => (scene.shift[0] + scene.shift[1] ? [
      `The map is rolled by (−${scene.shift[0]}, −${scene.shift[1]}): its first ${scene.shift[0]} rows go to the bottom, its first ${scene.shift[1]} columns to the right.`,
      `特征图滚动 (−${scene.shift[0]}, −${scene.shift[1]})：最上面 ${scene.shift[0]} 行移到底部，最左边 ${scene.shift[1]} 列移到右边。`]
      : ['No shift, so nothing is rolled.', '没有移位，所以不滚动。']),
    pad: ({ scene, map }) => [
      `The window does not divide the map: ${map.ph - scene.rows} rows and ${map.pw - scene.columns} columns of zeros are added, ${scene.order === 'timm' ? 'after the roll, at the end of the rolled map (timm)' : 'before the roll (torchvision)'}. Nothing masks them.`,
      `窗口不能整除特征图：补上 ${map.ph - scene.rows} 行、${map.pw - scene.columns} 列零，${scene.order === 'timm' ? '在滚动之后、补在滚动后的末尾（timm）' : '在滚动之前（torchvision）'}。它们不会被掩码遮住。`],
    windows: ({ scene, map, chosen }) => [
      `Cut into ${map.ph / map.mh} × ${map.across} windows of ${map.mh} × ${map.mw}. Token ${named(scene, chosen.token)} is in window ${chosen.cell.window}: place ${chosen.cell.inner} of ${map.n}.`,
      `切成 ${map.ph / map.mh} × ${map.across} 个 ${map.mh} × ${map.mw} 的窗口。token ${named(scene, chosen.token)} 在窗口 ${chosen.cell.window} 中，位置 ${chosen.cell.inner}/${map.n}。`],
    regions: ({ scene, map, chosen }) => {
      const kinds = new Set(map.members[chosen.cell.window].map((cell) => cell.region)).size;
      return [
        `Slices at −M and −s number the regions. This window holds ${kinds} of ${new Set(scene.region).size}: ${kinds > 1 ? 'the roll put together what is not neighbours' : 'nothing strange came in'}.`,
        `在 −M 和 −s 处切片给区域编号。此窗口含 ${new Set(scene.region).size} 个区域中的 ${kinds} 个：${kinds > 1 ? '滚动把不相邻的部分放到了一起' : '没有外来的部分'}。`];
    },
    mask: ({ scene, map, chosen }) => [
      `Token ${named(scene, chosen.token)} may look at ${chosen.partners.length} tokens of the ${map.n} places in its window${scene.masked ? ': those of its own region' : ', as the mask is off'}. Of all pairs ${percent(scene.blocked)} are blocked${scene.through ? `; still ${scene.through} pairs of strangers get through` : ''}.`,
      `token ${named(scene, chosen.token)} 可以看窗口 ${map.n} 个位置中的 ${chosen.partners.length} 个 token${scene.masked ? '：与它同一区域的' : '，因为掩码已关闭'}。所有配对中有 ${percent(scene.blocked)} 被挡住${scene.through ? `；仍有 ${scene.through} 对外来的配对漏过` : ''}。`],
    attention: ({ scene, chosen }) => [
      `Softmax over the window${scene.masked ? ', −100 on blocked pairs' : ', nothing blocked'}: most goes to ${named(scene, best(chosen))} (${number(chosen.top)}). All tokens and heads give strangers ${scene.leak < 1e-6 ? 'nothing worth showing' : percent(scene.leak)} on average.`,
      `窗口内做 softmax${scene.masked ? '，被挡住的配对为 −100' : '，没有遮挡'}：最多的给了 ${named(scene, best(chosen))}（${number(chosen.top)}）。所有 token 和头平均给外来者 ${scene.leak < 1e-6 ? '几乎为零' : percent(scene.leak)}。`],
    back: ({ scene, chosen }) => [
      `Rolled back: every token stands where it was, and its ${chosen.partners.length} partners ${scene.masked ? 'lie around it, on one side of every seam' : 'lie wherever the roll took them from'}.`,
      `滚回：每个 token 回到原位，它的 ${chosen.partners.length} 个伙伴${scene.masked ? '就在它周围、接缝的同一侧' : '散在滚动前的各处'}。`],
  };

  function best(chosen) {
    const top = chosen.partners.reduce((a, b) => (chosen.row[b.inner] > chosen.row[a.inner] ? b : a), chosen.partners[0]);
    return top ? top.token : chosen.token;
  }

  const LAID = {
    layers: (scene, at) => { const k = scene.overlay.first[at]; return k ? [`reached after ${k} block${k > 1 ? 's' : ''}`, `${k} 层后可达`] : ['not reached', '不可达']; },
    share: (scene, at) => [`gives ${percent(scene.overlay.values[at])} to strangers without the mask`, `没有掩码时给外来者 ${percent(scene.overlay.values[at])}`],
    difference: (scene, at) => [`outputs differ by ${number(scene.overlay.values[at])}`, `输出相差 ${number(scene.overlay.values[at])}`],
  };

  const KEY = {
    layers: (scene) => [`Over the picture: the tokens that the chosen one depends on after 1 block (yellow) to ${scene.overlay.depth} (dark).`, `图片上：所选 token 经 1 层（黄）到 ${scene.overlay.depth} 层（暗）所依赖的 token。`],
    share: () => ['Over the picture, without the mask: the warmer a token, the more it gives to strangers.', '图片上，没有掩码时：越暖的 token 给外来者越多。'],
    difference: ({ overlay }) => (overlay.largest < 1e-5 ? ['Here the outputs of the two libraries are the same.', '此处两个库的输出相同。'] : [
      `Over the picture: how much the outputs of the two libraries differ, up to ${number(overlay.largest)}, where outputs have a root mean square of ${number(overlay.scale)}.`,
      `图片上：两个库输出之差，最大 ${number(overlay.largest)}，而输出的均方根为 ${number(overlay.scale)}。`]),
  };

  // the step, or the token under the pointer
  function tell(stage, cell) {
    if (!cell) {
      const key = stage.scene.overlay ? KEY[stage.scene.overlay.kind](stage.scene) : ['', ''];
      glassbox.board.say(stage, ...TELL[stage.step](stage).map((text, k) => `${text} ${key[k]}`.trim()));
      return;
    }
    const { scene, chosen } = stage;
    const laid = scene.overlay ? LAID[scene.overlay.kind](scene, cell.token) : ['', ''];
    const mine = cell.window === chosen.cell.window;
    const sees = !mine ? ['another window', '在别的窗口'] : chosen.sees(cell) ? [`may be seen, weight ${number(chosen.row[cell.inner])}`, `可以看到，权重 ${number(chosen.row[cell.inner])}`] : ['blocked: another region', '被挡住：不同区域'];
    glassbox.board.say(stage, `Token ${named(scene, cell.token)}: at (${cell.r}, ${cell.c}) after the roll, window ${cell.window}, region ${cell.region}; ${laid[0] || sees[0]}.`,
      `token ${named(scene, cell.token)}：滚动后在 (${cell.r}, ${cell.c})，窗口 ${cell.window}，区域 ${cell.region}；${laid[1] || sees[1]}。`);
  }

  function pair(stage, [i, j]) {
    const { scene, map, chosen } = stage;
    const [a, b] = [i, j].map((k) => map.members[chosen.cell.window][k]);
    const name = (cell) => (cell.token < 0 ? '∅' : named(scene, cell.token));
    const weight = map.weights[(chosen.cell.window * map.n + i) * map.n + j];
    const open = !scene.masked || a.region === b.region;
    const strange = a.token >= 0 && b.token >= 0 && scene.crossed[a.at] !== scene.crossed[b.at];
    const why = [strange ? 'side by side only because of the roll' : 'on the same side of the seam', strange ? '只因滚动才相邻' : '在接缝的同一侧'];
    glassbox.board.say(stage, `Query ${name(a)}, key ${name(b)}: ${why[0]}, ${open ? `allowed, weight ${number(weight)}` : 'blocked'}.`,
      `查询 ${name(a)}，键 ${name(b)}：${why[1]}，${open ? `允许，权重 ${number(weight)}` : '被挡住'}。`);
  }

  Object.assign(glassbox.board, { tell, pair });
})();
