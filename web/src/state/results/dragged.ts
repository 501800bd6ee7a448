/** The media type of a dragged result. */
export const DRAGGED = "application/x-calotype-result";
