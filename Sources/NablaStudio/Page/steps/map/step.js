// Step 7: map.
export {};
