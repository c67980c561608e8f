"""Cut Arimo down to the characters our figures use: `python subset.py Arimo-Regular.ttf Arimo-Bold.ttf` (needs fonttools).

Each glyph also gets an empty contour (three coincident points) at its origin. plotters' bitmap text places a glyph by the
left edge of its outline instead of by its origin; with the origin inside the outline the two are the same and letters keep
their side bearings.
"""

import sys

from fontTools import subset
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

RANGES = [
    (0x0020, 0x007E),  # ASCII
    (0x00A0, 0x017F),  # Latin-1, Latin Extended-A
    (0x0370, 0x03FF),  # Greek
    (0x1D2C, 0x1D6A),  # superscript and subscript letters
    (0x2010, 0x2044),  # dashes, quotes, double bar, ellipsis, primes
    (0x2070, 0x209C),  # superscript and subscript digits and signs
    (0x2100, 0x214F),  # letter-like symbols
    (0x2190, 0x2199),  # arrows
    (0x2200, 0x22FF),  # mathematical operators
]

for path in sys.argv[1:]:
    font = TTFont(path)
    options = subset.Options(hinting=False, layout_features=[], name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14])
    cut = subset.Subsetter(options)
    cut.populate(unicodes=[c for first, last in RANGES for c in range(first, last + 1)])
    cut.subset(font)

    glyphs = font.getGlyphSet()
    anchored = {}
    for name in font.getGlyphOrder():
        outline = DecomposingRecordingPen(glyphs)
        glyphs[name].draw(outline)
        if not outline.value:
            continue  # a space
        pen = TTGlyphPen(None)
        outline.replay(pen)
        pen.moveTo((0, 0))
        pen.lineTo((0, 0))
        pen.lineTo((0, 0))
        pen.closePath()
        anchored[name] = pen.glyph(dropImpliedOnCurves=False)
    for name, glyph in anchored.items():
        font["glyf"][name] = glyph
        font["hmtx"][name] = (font["hmtx"][name][0], min(0, font["hmtx"][name][1]))

    name = path.rsplit("/", 1)[-1]
    font.save(name)
    print(name, len(font.getBestCmap()), "characters")
