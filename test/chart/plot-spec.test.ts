import { expect, it } from 'vitest';
import { parsePlot } from '../../src/chart/plot-spec.ts';

it('reads the keys of both axes, of the series, and a title that has commas', () => {
  expect(parsePlot('x=chapter,y=wealth')).toEqual({ x: 'chapter', y: 'wealth' });
  expect(parsePlot(' y = wealth , x = chapter,series=character')).toEqual({
    x: 'chapter',
    y: 'wealth',
    series: 'character',
  });
  expect(parsePlot('x=a,y=b,title=Rich, richer, x=richest')).toEqual({
    x: 'a',
    y: 'b',
    title: 'Rich, richer, x=richest',
  });
  expect(parsePlot('x=a,y=b,smooth=no')).toEqual({ x: 'a', y: 'b', smooth: false });
  expect(parsePlot('x=a,y=b,smooth=yes,title=T')).toEqual({ x: 'a', y: 'b', smooth: true, title: 'T' });
  expect(parsePlot('x=net worth,y=a=b')).toEqual({ x: 'net worth', y: 'a=b' });
});

it.each([
  ['', 'a part of it is empty'],
  ['chapter', '"chapter" has no "="'],
  ['x=chapter', 'y= is missing'],
  ['y=wealth,series=character', 'x= is missing'],
  ['title=Wealth', 'x= is missing'],
  ['x=,y=wealth', 'nothing comes after x='],
  ['x=a,y=b,title=', 'nothing comes after title='],
  ['x=a,x=b,y=c', 'it says x= twice'],
  ['x=a,y=b,', 'a part of it is empty'],
  ['x=a,y=b,serie=c', 'there is no "serie=": its parts are x=, y=, series=, smooth= and title=. Did you mean series=?'],
  ['x=a,y=b,smooth=maybe', 'smooth= is yes or no, not "maybe"'],
  ['x=a,y=b,z=c', 'there is no "z="'],
])('says of %j: %s, and what a right one looks like', (text, message) => {
  expect(() => parsePlot(text)).toThrow(expect.objectContaining({ type: 'Input.Invalid' }));
  expect(() => parsePlot(text)).toThrow(message);
  expect(() => parsePlot(text)).toThrow('x=chapter,y=wealth,series=character');
});
