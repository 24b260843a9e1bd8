"""Pages: drawn panels and what is said in them become a book.

    values      a book of pages of panels, as this room is given it
    templates   how many panels become frames (tiers, forms, frames, ownboxes); cropping fits pictures
    lettering   a panel's words become balloons, in this order:
                  hand, emphasis, splitting: what is written, and how
                  unicode, words, breaking, typesetting: text becomes lines (vertical, columns: Japanese)
                  arranging: bodies, costs, placement, rows: lines become bodies with places around people
                  routing: a panel's tails find their ways together
                  balloons, tails, outlines, arcs: bodies become shapes
                  faces, face, typefaces, fontfiles, shaping, missing: letters become glyphs
    sheet       one page, described once, in points
    drawing     a sheet on any canvas, its words by inking (unseen: what a PDF finds); compose makes pixels
    press       a book's pages, set at most once (stamps, imprint)
    export      the forms of a book: pdf (plates), cbz, epub, reader, webtoon, layers

It knows nothing of stories, prompts and models.
"""
