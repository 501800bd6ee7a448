// a page of an isolated pack
