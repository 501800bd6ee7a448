/** What a dragged result is called in a drag. */
export const DRAGGED = "application/x-calotype-result";
