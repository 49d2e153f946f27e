// Step 5: lora.
export {};
